"""Epochal: train each pushed ``nn.py``, compare its accuracy with a threshold, and mail the verdict."""

__version__ = "0.2.0"
