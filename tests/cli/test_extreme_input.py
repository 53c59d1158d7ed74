"""Input that is well formed but absurd: it ends as bad input does, at once and in a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

Refused = Callable[..., str]

DIGITS = ("train", "smoothnet", "--epsilon", "7", "--dataset", "digits")
PLAN = ("plan", "--examples", "1000", "--batch-size", "100")
SHIFT = ("--set", "augmentation.shift=40", "--set", "augmentation.multiplicity=2")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((*DIGITS, "--image-size", "10000000"), "do not fit into memory; make the image size"),
        ((*DIGITS, "--set", "width=1e6"), "weights of smoothnet do not fit into memory"),
        ((*DIGITS, *SHIFT), "augmentation.shift is 40, but the images are 16 x 16"),
        (("train", "smoothnet", "--dataset", "digits", "--no-dp", *SHIFT), "shift is 40"),
        ((*DIGITS, "--delta", "1e-300"), "delta is 1e-300; below 1e-09"),
        ((*DIGITS[:-1], os.fsdecode(b"images\xff")), "not valid UTF-8"),
        ((*DIGITS, "--out", os.fsdecode(b"models\xff/1")), "not valid UTF-8"),
        ((*PLAN, "--noise-multiplier", "1e-9", "--delta", "1e-5", "--epochs", "1"), "below 0.1"),
        ((*PLAN, "--epsilon", "7", "--delta", "1e-12", "--epochs", "1"), "below 1e-09"),
        ((*PLAN, "--epsilon", "7", "--delta", "1e-5", "--updates", "9" * 30), "than can be accou"),
    ],
)
def test_it_is_refused(refused: Refused, arguments: tuple[str, ...], reason: str) -> None:
    assert reason in refused(*arguments)
