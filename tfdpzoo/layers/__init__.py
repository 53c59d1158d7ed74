"""Keras layers of the zoo's architectures. They know nothing of privacy."""

from tfdpzoo.layers.smooth import SmoothBlock

__all__ = ["SmoothBlock"]
