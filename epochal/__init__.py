"""Epochal: train each pushed ``nn.py``, compare its accuracy with a threshold, and email the verdict."""

__version__ = "0.2.0"
