"""Epochal: commit ``nn.py``, get one decisive mail."""

__version__ = "0.1.0"
