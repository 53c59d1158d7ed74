"""Published results to compare with."""

from __future__ import annotations

import pytest

from tfdpzoo.data.published import SIZES
from tfdpzoo.gallery.anchors import published_anchors


def test_every_number_has_a_source_and_is_plausible():
    for dataset, anchors in published_anchors().items():
        assert dataset in SIZES
        for anchor in anchors:
            assert anchor.source and anchor.method
            assert list(anchor.points) == sorted(anchor.points)
            assert all(0 < epsilon <= 10 and 0.5 < a < 1 for epsilon, a in anchor.points)


def test_the_papers_own_numbers():
    by_method = {anchor.method: anchor for anchor in published_anchors()["cifar10"]}
    smoothnet = by_method["SmoothNet (Remerscheid et al. 2022)"]
    assert (7.0, 0.735) in smoothnet.points
    assert smoothnet.delta == 1e-5
    imagenette = published_anchors()["imagenette"]
    assert [anchor.points[0][1] for anchor in imagenette] == pytest.approx([0.692, 0.697])
