"""Wide residual networks (standardised convolutions, ReLU before group normalisation) in PyTorch.

The same networks as `tfdpzoo.zoo.wrn16_4` and `tfdpzoo.zoo.wrn40_4`, parameter for parameter.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

_FIRST_CHANNELS, _STAGE_CHANNELS = 16, (16, 32, 64)
_GROUPS = 16
_LEAST_SQUARED_LENGTH = 1e-4


class WideResNet(nn.Module):
    """The network of De et al. 2022, WRN-depth-width.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
        depth: 6 n + 4, for n blocks in each stage.
        width: Factor of the channels.
    """

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, depth: int, width: int
    ) -> None:
        super().__init__()
        inputs = _FIRST_CHANNELS
        blocks: list[nn.Module] = []
        for stage, channels in enumerate(_STAGE_CHANNELS):
            outputs = width * channels
            blocks.append(_WideningBlock(inputs, outputs, 2 if stage else 1))
            blocks.extend(_ResidualBlock(outputs) for _ in range((depth - 4) // 6 - 1))
            inputs = outputs
        self.first = StandardizedConvolution(input_shape[2], _FIRST_CHANNELS, 3)
        self.blocks = nn.Sequential(*blocks)
        self.normalization = nn.GroupNorm(_GROUPS, inputs)
        self.logits = nn.Linear(inputs, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images `(B, channels, height, width)`."""
        features = self.blocks(self.first(images))
        features = self.normalization(nn.functional.relu(features))
        return self.logits(features.mean((2, 3)))


wrn16_4 = partial(WideResNet, depth=16, width=4)
wrn40_4 = partial(WideResNet, depth=40, width=4)


class StandardizedConvolution(nn.Conv2d):
    """A convolution whose filters have mean 0 and length 1, times a trained gain.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        size: Height and width of the filters.
        stride: 1, or 2 for images of even sides.
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride=stride)
        self.gain = nn.Parameter(torch.ones(outputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns the convolution of images `(B, channels, height, width)`."""
        size, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return nn.functional.conv2d(inputs, self.filters(), self.bias, padding=size // 2)
        # With a stride Keras has one row and column fewer before the image than after it.
        missing = max(size - stride, 0)
        padded = nn.functional.pad(inputs, (0, missing, 0, missing))
        return nn.functional.conv2d(padded, self.filters(), self.bias, stride)

    def filters(self) -> torch.Tensor:
        """Returns the filters of a plain convolution with the same output."""
        centered = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        squares = centered.square().sum((1, 2, 3), keepdim=True)
        scale = self.gain.reshape(-1, 1, 1, 1) * squares.clamp(min=_LEAST_SQUARED_LENGTH).rsqrt()
        return centered * scale


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *(module for _ in range(2) for module in _unit(channels, channels, 1))
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs + self.branch(inputs)


class _WideningBlock(nn.Module):
    """With a convolution as its shortcut, which Keras counts between those of the branch."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_unit(inputs, channels, stride))
        self.second_normalization = nn.GroupNorm(_GROUPS, channels)
        self.shortcut_normalization = nn.GroupNorm(_GROUPS, inputs)
        self.second_convolution = StandardizedConvolution(channels, channels, 3)
        self.shortcut_convolution = StandardizedConvolution(inputs, channels, 1, stride)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        features = self.second_normalization(nn.functional.relu(self.first(inputs)))
        shortcut = self.shortcut_normalization(nn.functional.relu(inputs))
        return self.second_convolution(features) + self.shortcut_convolution(shortcut)


def _unit(inputs: int, channels: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = StandardizedConvolution(inputs, channels, 3, stride)
    return nn.ReLU(), nn.GroupNorm(_GROUPS, inputs), convolution
