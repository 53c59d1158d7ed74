"""Shapes and numbers of classes that no architecture can take end in one sentence."""

from __future__ import annotations

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.zoo.arguments import require_classes, require_images


@pytest.mark.parametrize("shape", [(8, 8, 1), [9, 100, 3]])
def test_fitting_images(shape):
    require_images("a network", shape, 8, channels=(1, 3))


@pytest.mark.parametrize(
    "shape", [(7, 8, 1), (8, 8), (8, 8, 3, 1), (8.0, 8, 1), (8, 8, 0), (8, 8, True), "888", None]
)
def test_other_images(shape):
    with pytest.raises(InputError, match=r"a network takes \(height, width, channels\) with sides"):
        require_images("a network", shape, 8)


def test_other_channels():
    require_images("a network", (8, 8, 2), 8)
    with pytest.raises(InputError, match="of at least 8 and 1 or 3 channels"):
        require_images("a network", (8, 8, 2), 8, channels=(1, 3))


@pytest.mark.parametrize("classes", [1, 0, -3, 2.0, True, "10", None])
def test_too_few_classes(classes):
    require_classes(2)
    with pytest.raises(InputError, match="a classifier needs a whole number from 2 on"):
        require_classes(classes)
