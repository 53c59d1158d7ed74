"""Makes `smoothnet_reference.npz`, logits of SmoothNets in PyTorch, for the tests beside it.

Not part of the tests, since PyTorch is none of the project's requirements. It was run as

    python tests/zoo/make_smoothnet_reference.py tests/zoo/smoothnet_reference.npz

with torch 2.13 on a CPU. The modules follow the authors' `PrivateModelArchitectures` (Remerscheid
et al. 2022, arXiv 2205.04095). Weights and images are drawn by NumPy's `RandomState`, whose numbers
never change, so that only the logits need be kept.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import torch
from torch import nn

# Width, depth, height, image width, channels, classes.
CONFIGURATIONS = [
    (1.0, 1, 8, 8, 1, 5),
    (2.0, 2, 32, 32, 3, 10),
    (3.0, 1, 28, 28, 1, 10),
    (1.0, 3, 13, 13, 3, 4),
    (0.5, 2, 9, 22, 3, 7),
    (8.0, 1, 32, 32, 3, 10),
    (1.0, 2, 50, 64, 3, 3),
]


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.MaxPool2d(3, 1, 1),
            nn.GroupNorm(min(8, outputs), outputs),
            nn.SELU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Stack(nn.Module):
    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(inputs + outputs * k, outputs) for k in range(depth)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = torch.cat((x, block(x)), 1)
        return x


class SmoothNet(nn.Module):
    def __init__(self, width: float, depth: int, channels: int, classes: int) -> None:
        super().__init__()
        first, self.second = int(8 * width), int(16 * width)
        seen = first * depth + channels
        self.stack0 = Stack(channels, first, depth)
        self.transition = nn.Conv2d(seen, seen // 2, 1, bias=False)
        self.stack1 = Stack(seen // 2, self.second, depth)
        sizes = (self.second * 16, 256, 128, classes)
        self.dense = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(sizes)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.avg_pool2d(self.transition(self.stack0(x)), 2, 2)
        x = nn.functional.avg_pool2d(self.stack1(x), 2, 2)[:, -self.second :]
        x = nn.functional.adaptive_avg_pool2d(x, 4).reshape(x.shape[0], -1)
        x = nn.functional.selu(self.dense[0](x))
        return self.dense[2](nn.functional.selu(self.dense[1](x)))


def draw(random: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """One variable in Keras' layout: kernels with He's variance, vectors around a half."""
    values = random.standard_normal(shape)
    if len(shape) == 1:
        return 0.5 + 0.5 * values
    return values * np.sqrt(2.0 / np.prod(shape[:-1]))


def in_keras_layout(shape: torch.Size) -> tuple[int, ...]:
    if len(shape) == 4:
        return shape[2], shape[3], shape[1], shape[0]
    return tuple(reversed(shape))


def main(path: str) -> None:
    logits = {}
    for index, (width, depth, rows, columns, channels, classes) in enumerate(CONFIGURATIONS):
        random = np.random.RandomState(index)
        network = SmoothNet(width, depth, channels, classes)
        for parameter in network.parameters():
            values = draw(random, in_keras_layout(parameter.shape))
            order = (3, 2, 0, 1) if values.ndim == 4 else tuple(reversed(range(values.ndim)))
            parameter.data = torch.from_numpy(values.transpose(order).astype("float32").copy())
        images = random.standard_normal((3, rows, columns, channels)).astype("float32")
        outputs = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
        logits[f"logits{index}"] = outputs.detach().numpy()
    np.savez(path, configurations=np.array(CONFIGURATIONS), **logits)


if __name__ == "__main__":
    main(sys.argv[1])
