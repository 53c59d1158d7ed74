"""Keras layers of the zoo's architectures. They know nothing of privacy."""

from tfdpzoo.layers.pooling import AdaptiveAveragePooling2D
from tfdpzoo.layers.smooth import SmoothBlock

__all__ = ["AdaptiveAveragePooling2D", "SmoothBlock"]
