"""A small registry and image files for tests of serving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from stand_in import StandIn, small_model

from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.saved_model import export

CLASS_NAMES = ("ant", "bee", "cat", "dog")

_FORMATS = [
    ((8, 8), "RGB", "png"),
    ((40, 20), "RGB", "jpg"),
    ((9, 17), "L", "png"),
    ((64, 64), "RGBA", "png"),
    ((8, 8), "RGB", "jpeg"),
]
_CHANNELS = {"RGB": 3, "L": 1, "RGBA": 4}


def make_registry(folder: Path) -> Path:
    """Exports the model `small` in two versions, of which the first is `champion`."""
    for version in (1, 2):
        model = StandIn(small_model(seed=version))
        export(model, folder / "small" / str(version), class_names=CLASS_NAMES)
    set_alias(folder / "small", "champion", 1)
    return folder


def make_images(folder: Path) -> list[Path]:
    """Writes five image files of different sizes, formats and modes."""
    random = np.random.default_rng(0)
    files = []
    for number, ((width, height), mode, suffix) in enumerate(_FORMATS):
        pixels = random.integers(0, 256, (height, width, _CHANNELS[mode]), np.uint8)
        files.append(folder / f"image {number}.{suffix}")
        Image.fromarray(pixels.squeeze(), mode).save(files[-1])
    return files
