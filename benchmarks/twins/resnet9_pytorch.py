"""ResNet-9 with ScaleNorm (group normalisation, Mish) in PyTorch.

The same network as `tfdpzoo.zoo.resnet9` has by default, parameter for parameter.
"""

from __future__ import annotations

import torch
from torch import nn

_NARROW, _WIDE, _WIDEST = 64, 128, 256
_GROUPS = 32


class ResNet9(nn.Module):
    """The network of Klause et al. 2022.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
    """

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(input_shape[2], _NARROW),
            _block(_NARROW, _WIDE),
            nn.MaxPool2d(2),
            _ResidualBlock(_WIDE),
            _block(_WIDE, _WIDEST),
            nn.MaxPool2d(2),
            _block(_WIDEST, _WIDEST),
            nn.MaxPool2d(2),
            _ResidualBlock(_WIDEST),
            nn.AdaptiveMaxPool2d(2),
        )
        self.logits = nn.Linear(4 * _WIDEST, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images `(B, channels, height, width)`."""
        # Position by position, as Keras does.
        return self.logits(self.features(images).permute(0, 2, 3, 1).flatten(1))


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(_block(channels, channels), _block(channels, channels))
        self.normalization = nn.GroupNorm(_GROUPS, channels)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.normalization(self.branch(inputs) + inputs)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, outputs),
        nn.Mish(),
    )
