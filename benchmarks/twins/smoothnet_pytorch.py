"""SmoothNet (dense, max-pooling, group normalisation, SELU) in PyTorch.

The same network as `tfdpzoo.zoo.smoothnet`, parameter for parameter.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn


class SmoothNet(nn.Module):
    """The dense network of the paper.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
        width: Factor of the channels.
        depth: Blocks in each stage.
    """

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, width: float, depth: int
    ) -> None:
        super().__init__()
        first, second, channels = int(8 * width), int(16 * width), input_shape[2]
        seen = channels + first * depth
        self.stage0 = _stage(channels, first, depth)
        self.transition = nn.Conv2d(seen, seen // 2, 1, bias=False)
        self.stage1 = _stage(seen // 2, second, depth)
        sizes = (16 * second, 256, 128, classes)
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images `(B, channels, height, width)`."""
        seen, _ = _through(self.stage0, images)
        features = nn.functional.avg_pool2d(self.transition(seen), 2)
        _, last = _through(self.stage1, features)
        pooled = nn.functional.adaptive_avg_pool2d(nn.functional.avg_pool2d(last, 2), 4)
        outputs = pooled.flatten(1)
        for layer in self.dense[:-1]:
            outputs = nn.functional.selu(layer(outputs))
        return self.dense[-1](outputs)


def _stage(inputs: int, outputs: int, depth: int) -> nn.ModuleList:
    return nn.ModuleList(_block(inputs + outputs * index, outputs) for index in range(depth))


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.MaxPool2d(3, stride=1, padding=1),
        nn.GroupNorm(min(8, outputs), outputs),
        nn.SELU(),
    )


def _through(stage: nn.ModuleList, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns everything that a stage has seen, and its last block's output."""
    last = seen
    for block in stage:
        last = block(seen)
        seen = torch.cat((seen, last), 1)
    return seen, last
