"""Prints how far twins' logits are from the zoo's; run with the interpreter of the peers.

The arguments are the framework and the folder that `test_twins.py` has filled. The answer is one
JSON object: by model, the largest difference relative to the largest logit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.models import MODELS, BenchmarkedModel


def jax_logits(
    model: BenchmarkedModel, weights: list[np.ndarray], images: np.ndarray
) -> np.ndarray:
    parameters, logits = model.build("jax")
    assert [parameter.shape for parameter in parameters] == [values.shape for values in weights]
    return np.asarray(logits(weights, images))


def pytorch_logits(
    model: BenchmarkedModel, weights: list[np.ndarray], images: np.ndarray
) -> np.ndarray:
    import torch

    network = model.build("pytorch")
    for (parameter, order), values in zip(parameters_and_orders(network), weights, strict=True):
        assert tuple(parameter.shape) == tuple(values.shape[axis] for axis in order)
        parameter.data = torch.from_numpy(values.transpose(order).copy())
    return network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).detach().numpy()


def parameters_and_orders(network):
    """Yields each parameter, and in which order it has the axes of Keras' variable."""
    from torch import nn

    orders = {nn.Conv2d: (3, 2, 0, 1), nn.Linear: (1, 0)}
    for module in network.modules():
        order = next((order for kind, order in orders.items() if isinstance(module, kind)), None)
        for parameter in module.parameters(recurse=False):
            own = order is None or parameter.ndim == 1
            yield parameter, tuple(range(parameter.ndim)) if own else order


def main(framework: str, folder: str) -> None:
    logits = {"jax": jax_logits, "pytorch": pytorch_logits}[framework]
    differences = {}
    for path in sorted(Path(folder).glob("*.npz")):
        reference = dict(np.load(path))
        expected, images = reference.pop("logits"), reference.pop("images")
        weights = [reference[f"arr_{index}"] for index in range(len(reference))]
        found = logits(MODELS[path.stem], weights, images)
        differences[path.stem] = float(np.abs(found - expected).max() / np.abs(expected).max())
    print(json.dumps(differences))


if __name__ == "__main__":
    main(*sys.argv[1:])
