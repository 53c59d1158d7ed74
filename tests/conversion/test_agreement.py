"""A converted model that computes something else is found."""

from __future__ import annotations

import numpy as np
import pytest

from tfdpzoo.conversion.agreement import TOLERANCE, compare, require_agreement
from tfdpzoo.errors import InputError


def altered(original, change):
    """A runtime whose logits are changed."""

    def predict(images):
        outputs = original.predict(images)
        return {**outputs, "logits": change(outputs["logits"])}

    return predict


def test_the_original_agrees_with_itself(original) -> None:
    agreement = require_agreement(original, original.predict, (1, 2))

    assert agreement.differences == {"logits": 0.0, "probabilities": 0.0}
    assert agreement.batch_sizes == (1, 2)


def test_the_largest_difference_is_measured(original) -> None:
    def shift(logits):
        logits = logits.copy()
        logits[-1, 2] += 0.5
        return logits

    agreement = compare(original, altered(original, shift), (1, 3))

    # Divided by the largest logit, or by 1.
    assert 0.05 < agreement.differences["logits"] <= 0.5
    assert agreement.differences["probabilities"] == 0.0
    assert not agreement.holds


def test_rounding_is_allowed(original) -> None:
    predict = altered(original, lambda logits: logits * (1 + TOLERANCE / 10))

    assert require_agreement(original, predict).holds


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda logits: logits[:, ::-1],
            "its logits differ by .* where 0.0001 is",
        ),
        (lambda logits: logits * np.nan, "its logits differ by nan of the largest one"),
        (lambda logits: logits[:, :-1], r"gives logits of shape \(1, 4\) where .* \(1, 5\)"),
    ],
)
def test_another_model_is_refused(original, change, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        require_agreement(original, altered(original, change))


def test_images_are_pixels_of_every_brightness(original) -> None:
    seen = []

    def predict(images):
        seen.append(images)
        return original.predict(images)

    compare(original, predict, (50,))

    (images,) = seen
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 255
    assert images.mean(axis=(1, 2, 3)).std() > 20
