"""The models that are measured. Adding one is adding an entry to `MODELS`, or to `SERVED_MODELS`.

Nothing here imports a framework: every contender's process reads this with its own interpreter.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class BenchmarkedModel:
    """An architecture, the batch that it is measured at, and where it can be built.

    Attributes:
        name: What the command line and the page call it.
        batch: Examples in a step.
        keras: `module:function` of the Keras builder.
        pytorch: `module:class` of a PyTorch module of the same architecture, where there is one.
        jax: `module:function` that returns parameters and the function from them and images to
            logits, where there is one.
        arguments: The architecture's arguments, the same for all builders; none for its defaults.
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
    """

    name: str
    batch: int
    keras: str
    pytorch: str | None = None
    jax: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    input_shape: tuple[int, int, int] = (32, 32, 3)
    classes: int = 10

    def build(self, framework: str) -> Any:
        """Builds the model in `"keras"`, `"pytorch"` or `"jax"`."""
        builder = pkgutil.resolve_name(getattr(self, framework))
        return builder(input_shape=self.input_shape, classes=self.classes, **self.arguments)

    def random_examples(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns images `(number, height, width, channels)` of noise, and labels."""
        random = np.random.default_rng(0)
        images = random.standard_normal((number, *self.input_shape), dtype=np.float32)
        return images, random.integers(0, self.classes, number)

    def megabytes(self, number: int) -> float:
        """Returns what that many images take, in millions of bytes."""
        return 4e-6 * number * math.prod(self.input_shape)


MODELS = {
    model.name: model
    for model in (
        BenchmarkedModel(
            "smoothnet-w80d10",
            batch=64,
            keras="tfdpzoo.zoo.smoothnet.architecture:smoothnet",
            arguments={"width": 8.0, "depth": 1},
            pytorch="benchmarks.twins.smoothnet_pytorch:SmoothNet",
            jax="benchmarks.twins.smoothnet_jax:smoothnet",
        ),
        BenchmarkedModel(
            "smoothnet-w80d50",
            batch=16,
            keras="tfdpzoo.zoo.smoothnet.architecture:smoothnet",
            arguments={"width": 8.0, "depth": 5},
            pytorch="benchmarks.twins.smoothnet_pytorch:SmoothNet",
            jax="benchmarks.twins.smoothnet_jax:smoothnet",
        ),
        BenchmarkedModel(
            "equivariant-resnet9",
            batch=32,
            keras="tfdpzoo.zoo.equivariant_resnet9.architecture:equivariant_resnet9",
            pytorch="benchmarks.twins.equivariant_resnet9_pytorch:EquivariantResNet9",
            jax="benchmarks.twins.equivariant_resnet9_jax:equivariant_resnet9",
        ),
        BenchmarkedModel(
            "resnet9",
            batch=32,
            keras="tfdpzoo.zoo.resnet9.architecture:resnet9",
            pytorch="benchmarks.twins.resnet9_pytorch:ResNet9",
            jax="benchmarks.twins.resnet9_jax:resnet9",
        ),
        BenchmarkedModel(
            "wrn16-4",
            batch=16,
            keras="tfdpzoo.zoo.wrn16_4.architecture:wrn16_4",
            pytorch="benchmarks.twins.wide_resnet_pytorch:wrn16_4",
            jax="benchmarks.twins.wide_resnet_jax:wrn16_4",
        ),
        BenchmarkedModel(
            "wrn40-4",
            batch=16,
            keras="tfdpzoo.zoo.wrn40_4.architecture:wrn40_4",
            pytorch="benchmarks.twins.wide_resnet_pytorch:wrn40_4",
            jax="benchmarks.twins.wide_resnet_jax:wrn40_4",
        ),
        BenchmarkedModel(
            "tanh-cnn",
            batch=64,
            keras="tfdpzoo.zoo.tanh_cnn.architecture:tanh_cnn",
            pytorch="benchmarks.twins.tanh_cnn_pytorch:TanhCNN",
            jax="benchmarks.twins.tanh_cnn_jax:tanh_cnn",
        ),
    )
}

SERVED_MODELS = {
    model.name: model
    for model in (
        MODELS["smoothnet-w80d10"],
        BenchmarkedModel(
            "smoothnet-w40d10",
            batch=64,
            keras="tfdpzoo.zoo.smoothnet.architecture:smoothnet",
            arguments={"width": 4.0, "depth": 1},
            input_shape=(28, 28, 1),
        ),
        BenchmarkedModel(
            "equivariant-resnet9-narrow",
            batch=32,
            keras="tfdpzoo.zoo.equivariant_resnet9.architecture:equivariant_resnet9",
            arguments={
                "group": "D4",
                "restriction": "D2",
                "layout": (6, 12, 24),
                "activation": "relu",
                "basis": "rings",
            },
        ),
        MODELS["tanh-cnn"],
    )
}
"""The models of the recipes for a processor: their inference is measured too."""
