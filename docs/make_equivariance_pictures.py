"""Draws the pictures of docs/equivariance.md: `python docs/make_equivariance_pictures.py`.

Seeds are fixed; the photograph is one that scikit-learn brings along. Takes half a minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from tfdpzoo.layers import FieldNormalization, GroupPooling, LiftingConv2D
from tfdpzoo.layers.equivariance import equivariance_error, move_images
from tfdpzoo.layers.filter_expansion import FilterExpansion
from tfdpzoo.layers.group_convolution import GroupConvolution
from tfdpzoo.layers.groups import square_group
from tfdpzoo.zoo.equivariant_resnet9.architecture import equivariant_resnet9

FOLDER = Path(__file__).parent
GROUP = square_group("p4m")
ELEMENTS = ("e", "r", "r²", "r³", "m", "mr", "mr²", "mr³")
SIDE = 64
QUARTER_TURN = 1
INK, RULED_OUT = "#1f4e79", "#c0504d"
PROMISE = 1e-5
ROUNDING = 1e-8


def draw_filter_orbit() -> None:
    """The eight copies of a lifting filter, and what one group filter does with its elements."""
    random = np.random.default_rng(4)
    figure, axes = plt.subplots(3, 8, figsize=(10, 4.6), layout="constrained")
    lifting = FilterExpansion(GROUP, 5, lifts=True)
    kernel = np.zeros((5, 5, 1, 1), "float32")
    kernel[1:4, 1, 0, 0] = kernel[1, 1:4, 0, 0] = kernel[4, 1, 0, 0] = 1.0
    for h, filter_ in enumerate(np.moveaxis(np.asarray(lifting.expand(kernel))[:, :, 0], -1, 0)):
        _show(axes[0, h], filter_, "gray_r")
        axes[0, h].set_title(ELEMENTS[h])
    group = FilterExpansion(GROUP, 3, lifts=False)
    kernel = random.normal(size=(3, 3, 8, 1, 1)).astype("float32")
    filters = np.asarray(group.expand(kernel))
    for row, h_out in ((1, 0), (2, QUARTER_TURN)):
        for h_in in range(8):
            source = GROUP.products[GROUP.inverses[h_out], h_in]
            _show(axes[row, h_in], filters[:, :, h_in, h_out], "RdBu_r", limit=2.5)
            axes[row, h_in].set_title(f"w[{ELEMENTS[source]}]", fontsize=9)
    for row, label in enumerate(("lifting", "to e", "to r")):
        axes[row, 0].set_ylabel(label)
    _save(figure, "equivariance-orbit.png")


def draw_feature_maps() -> None:
    """The maps of one field for an image and for the image turned by 90 degrees."""
    photograph = load_sample_image("china.jpg")[20:404:6, 30:414:6].astype("float32") / 255
    images = photograph.mean(axis=-1)[None, :, :, None]
    images -= images.mean()
    turned = move_images(images, GROUP, QUARTER_TURN)
    layer = LiftingConv2D(1, 5, "p4m", padding="same", use_bias=False, activation="relu")
    layer.build((None, SIDE, SIDE, 1))
    rows, columns = np.mgrid[-2:3, -2:3]
    # An oblique edge with one heavier end: no symmetry of the square keeps it.
    weight = (2 * rows - columns) * np.exp(-(rows**2 + columns**2) / 4) * (columns + 4)
    layer.kernel.assign(weight[:, :, None, None] - weight.mean())
    figure, axes = plt.subplots(2, 9, figsize=(12, 3.2), layout="constrained")
    colours = plt.get_cmap("tab10")
    for row, pixels in enumerate((images, turned)):
        _show(axes[row, 0], pixels[0, :, :, 0], "gray", limit=0.6)
        axes[row, 0].set_title("image" if row == 0 else "turned", fontsize=9)
        for h, features in enumerate(np.moveaxis(np.asarray(layer(pixels))[0], -1, 0)):
            _show(axes[row, 1 + h], features, "magma", limit=None)
            axes[row, 1 + h].set_title(ELEMENTS[h], fontsize=9)
            origin = h if row == 0 else GROUP.products[GROUP.inverses[QUARTER_TURN], h]
            for side in axes[row, 1 + h].spines.values():
                side.set(color=colours(int(origin)), linewidth=3)
    _save(figure, "equivariance-features.png")


def draw_errors() -> None:
    """The equivariance error after every layer of the Equivariant ResNet-9."""
    keras.utils.set_random_seed(0)
    model = equivariant_resnet9()
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    turns = square_group("C4")
    layers = [
        layer for layer in model.layers if isinstance(layer, GroupConvolution | FieldNormalization)
    ]
    kept, turned = [], []
    for layer in layers:
        features, group = keras.Model(model.input, layer.output), square_group(layer.group)
        pooled = keras.Sequential([features, GroupPooling(group)])
        kept.append(equivariance_error(features, images, group, move_images))
        turned.append(equivariance_error(pooled, images, turns, move_images, move_images))
    figure, axis = plt.subplots(figsize=(10, 4.6), layout="constrained")
    places = np.arange(len(layers))
    axis.semilogy(places, turned, "s", color=RULED_OUT, label="quarter turns, largest of the group")
    axis.semilogy(places, kept, "o", color=INK, label="all elements of the layer's group")
    axis.axhline(PROMISE, color="gray", linestyle="--", linewidth=1)
    axis.set_xticks(
        places, [layer.name.replace("_", " ") for layer in layers], rotation=60, ha="right"
    )
    axis.set_ylabel("largest error / largest output")
    axis.set_ylim(ROUNDING, 3)
    axis.legend(loc="center left")
    _save(figure, "equivariance-errors.png")


def _show(axis: Any, values: np.ndarray, colours: str, limit: float | None = 1.0) -> None:
    low = None if limit is None else -limit
    axis.imshow(values, cmap=colours, vmin=low if colours != "gray_r" else 0, vmax=limit)
    axis.set(xticks=[], yticks=[])


def _save(figure: Any, name: str) -> None:
    figure.savefig(FOLDER / name, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    draw_filter_orbit()
    draw_feature_maps()
    draw_errors()
