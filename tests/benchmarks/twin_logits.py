"""Prints how far a twin's logits are from the reference; run with the interpreter of the peers.

The arguments are the framework and the path of `smoothnet_reference.npz`. Weights and images are
drawn as `tests/zoo/make_smoothnet_reference.py` draws them.
"""

from __future__ import annotations

import sys

import numpy as np

# Sides of 32 pixels and three channels.
CONFIGURATIONS = (1, 5)


def drawn(random: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    values = random.standard_normal(shape)
    if len(shape) == 1:
        return (0.5 + 0.5 * values).astype("float32")
    return (values * np.sqrt(2.0 / np.prod(shape[:-1]))).astype("float32")


def jax_logits(architecture: dict, random: np.random.RandomState) -> np.ndarray:
    from benchmarks.twins.smoothnet_jax import smoothnet

    parameters, logits = smoothnet(**architecture)
    parameters = [drawn(random, parameter.shape) for parameter in parameters]
    return np.asarray(logits(parameters, images(random)))


def pytorch_logits(architecture: dict, random: np.random.RandomState) -> np.ndarray:
    import torch

    from benchmarks.twins.smoothnet_pytorch import SmoothNet

    network = SmoothNet(**architecture)
    for parameter in network.parameters():
        order = (2, 3, 1, 0) if parameter.ndim == 4 else tuple(reversed(range(parameter.ndim)))
        values = drawn(random, tuple(parameter.shape[axis] for axis in order))
        parameter.data = torch.from_numpy(values.transpose(np.argsort(order)).copy())
    channels_first = images(random).transpose(0, 3, 1, 2).copy()
    return network(torch.from_numpy(channels_first)).detach().numpy()


def images(random: np.random.RandomState) -> np.ndarray:
    return random.standard_normal((3, 32, 32, 3)).astype("float32")


def main(framework: str, path: str) -> None:
    logits = {"jax": jax_logits, "pytorch": pytorch_logits}[framework]
    reference = np.load(path)
    for index in CONFIGURATIONS:
        width, depth, _, _, _, classes = reference["configurations"][index]
        architecture = {"width": width, "depth": int(depth), "classes": int(classes)}
        found = logits({"input_shape": (32, 32, 3), **architecture}, np.random.RandomState(index))
        print(np.abs(found - reference[f"logits{index}"]).max())


if __name__ == "__main__":
    main(*sys.argv[1:])
