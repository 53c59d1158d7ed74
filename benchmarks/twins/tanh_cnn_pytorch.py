"""The plain convolutional network with tanh, in its layout for CIFAR-10, in PyTorch.

The same network as `tfdpzoo.zoo.tanh_cnn` has by default, parameter for parameter.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn

_WIDTHS = (32, 64, 128)
_HIDDEN = 128


class TanhCNN(nn.Module):
    """The end-to-end network of Tramer and Boneh 2021.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
    """

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        height, width, channels = input_shape
        pairs = itertools.pairwise((channels, *_WIDTHS))
        self.features = nn.Sequential(*(_stage(inputs, outputs) for inputs, outputs in pairs))
        self.hidden = nn.Linear((height // 8) * (width // 8) * _WIDTHS[-1], _HIDDEN)
        self.logits = nn.Linear(_HIDDEN, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images `(B, channels, height, width)`."""
        # Position by position, as Keras does.
        flat = self.features(images).permute(0, 2, 3, 1).flatten(1)
        return self.logits(self.hidden(flat).tanh())


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.Tanh(),
        nn.MaxPool2d(2),
    )
