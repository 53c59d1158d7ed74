"""Keras layers of the zoo's architectures. They know nothing of privacy."""

from tfdpzoo.layers.field_normalization import FieldNormalization
from tfdpzoo.layers.group_convolution import GroupConv2D, LiftingConv2D
from tfdpzoo.layers.group_pooling import GroupPooling, SymmetricPooling2D
from tfdpzoo.layers.group_restriction import GroupRestriction
from tfdpzoo.layers.pooling import AdaptiveAveragePooling2D
from tfdpzoo.layers.scale_bias import ScaleBias
from tfdpzoo.layers.smooth import SmoothBlock
from tfdpzoo.layers.standardized_convolution import StandardizedConv2D

__all__ = [
    "AdaptiveAveragePooling2D",
    "FieldNormalization",
    "GroupConv2D",
    "GroupPooling",
    "GroupRestriction",
    "LiftingConv2D",
    "ScaleBias",
    "SmoothBlock",
    "StandardizedConv2D",
    "SymmetricPooling2D",
]
