"""Equivariant ResNet-9 (D4, then D2; weight standardisation, Mish, field normalisation) in PyTorch.

The same network as `tfdpzoo.zoo.equivariant_resnet9` has by default, parameter for parameter.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from benchmarks.twins.group_filters import (
    D2,
    D4,
    Elements,
    group_sources,
    lifting_sources,
    restricted_channels,
    ring_basis,
)

_NARROW, _WIDE, _WIDEST = 6, 13, 39
_EPSILON = 1e-5


class EquivariantResNet9(nn.Module):
    """The paper's network.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
    """

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.conv1 = _block(GroupConvolution(input_shape[2], _NARROW, lifting_sources()))
        self.conv2 = _block(GroupConvolution(_NARROW, _WIDE, group_sources(D4)))
        self.residual1 = _ResidualBlock(_WIDE, D4)
        self.conv3 = _block(GroupConvolution(_WIDE, _WIDEST, group_sources(D4)))
        self.conv4 = _block(GroupConvolution(2 * _WIDEST, _WIDEST, group_sources(D2)))
        self.residual2 = _ResidualBlock(_WIDEST, D2)
        self.logits = nn.Linear(4 * _WIDEST, classes)
        self.register_buffer("restriction", torch.from_numpy(restricted_channels(_WIDEST)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images `(B, channels, height, width)`."""
        features = self.conv2(self.conv1(images))
        features = self.residual1(nn.functional.max_pool2d(features, 2))
        features = nn.functional.max_pool2d(self.conv3(features), 2)
        features = self.conv4(features.index_select(1, self.restriction))
        features = self.residual2(nn.functional.max_pool2d(features, 2))
        fields = features.unflatten(1, (_WIDEST, len(D2))).amax(2)
        pooled = nn.functional.adaptive_avg_pool2d(fields, 2)
        # Position by position, as Keras does.
        return self.logits(pooled.permute(0, 2, 3, 1).flatten(1))


class GroupConvolution(nn.Module):
    """A 3x3 convolution whose filters are put together from a standardised kernel.

    Args:
        inputs: Fields of the input, or its channels where the kernel has no group axis.
        fields: Fields of the output.
        sources: `(9, |G| in, |G| out)`, as `group_filters` has them.
    """

    def __init__(self, inputs: int, fields: int, sources: np.ndarray) -> None:
        super().__init__()
        self.order_in, self.order = sources.shape[1:]
        elements = (self.order,) if self.order_in > 1 else ()
        self.kernel = nn.Parameter(torch.randn(8, *elements, inputs, fields))
        self.bias = nn.Parameter(torch.zeros(fields))
        # Opacus refuses layers with buffers, so these stay arrays.
        self.sources = sources.ravel()
        self.basis = ring_basis()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns group features `(B, fields * |G|, height, width)`."""
        biases = self.bias.repeat_interleave(self.order)
        return nn.functional.conv2d(inputs, self.filters(), biases, padding=1)

    def filters(self) -> torch.Tensor:
        """Returns filters `(fields * |G|, inputs * |G|, 3, 3)`."""
        device = self.kernel.device
        centered = self.kernel - self.kernel.mean()
        standardized = centered / (centered.square().mean().sqrt() + _EPSILON)
        basis = torch.as_tensor(self.order**-0.5 * self.basis, device=device)
        inputs, fields = self.kernel.shape[-2:]
        rows = (basis @ standardized.reshape(8, -1)).reshape(-1, inputs, fields)
        filters = rows.index_select(0, torch.as_tensor(self.sources, device=device))
        filters = filters.reshape(9, self.order_in, self.order, inputs, fields)
        filters = filters.permute(4, 2, 3, 1, 0)
        return filters.reshape(fields * self.order, inputs * self.order_in, 3, 3)


class _ResidualBlock(nn.Module):
    def __init__(self, fields: int, elements: Elements) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(_block(GroupConvolution(fields, fields, group_sources(elements))) for _ in range(2))
        )
        self.normalization = _normalization(fields, len(elements))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.normalization(inputs + self.blocks(inputs))


def _block(convolution: GroupConvolution) -> nn.Sequential:
    fields = len(convolution.bias)
    return nn.Sequential(convolution, nn.Mish(), _normalization(fields, convolution.order))


def _normalization(fields: int, order: int) -> nn.GroupNorm:
    groups = 3 if fields == _WIDEST else 1
    return nn.GroupNorm(groups, fields * order, affine=False)
