"""A small trained-looking model with the surface of `PrivateModel` that export uses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Ledger, Segment

SHAPE = (8, 8, 3)
CLASSES = 4


def small_model(seed: int = 0, last_activation: str | None = None) -> keras.Model:
    """Normalisation, a convolution, group normalisation and logits; 700 weights."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Normalization(mean=[125.0, 123.0, 114.0], variance=[4096.0] * 3),
            keras.layers.Conv2D(4, 3, use_bias=False, activation="selu", name="convolution"),
            keras.layers.GroupNormalization(2, name="groups"),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation=last_activation, name="logits"),
        ],
        name="small",
    )


class StandIn:
    """Weights are as they were made; the ledger says that they were trained privately."""

    def __init__(self, model: keras.Model | None = None) -> None:
        self.model = model or small_model()
        self.ledger = Ledger()
        self.ledger.record(1.1, 0.1, updates=20)
        self.released = 0

    @contextlib.contextmanager
    def released_weights(self) -> Iterator[None]:
        """Counts its uses; the weights are released as they are."""
        self.released += 1
        yield

    def guarantee(self) -> PrivacyGuarantee:
        """States the ledger's updates for a data set of 1,000 examples."""
        return guarantee_with(segments=self.ledger.segments)


def guarantee_with(**changes: Any) -> PrivacyGuarantee:
    """The stand-in's guarantee, with other arguments of `PrivacyGuarantee.state` where given."""
    arguments: dict[str, Any] = {
        "segments": [Segment(1.1, 0.1, 20)],
        "delta": 1e-4,
        "clip_norm": 1.0,
        "examples": 1_000,
        "expected_batch": 100,
        "planned_updates": 20,
        "target_epsilon": 4.0,
    }
    return PrivacyGuarantee.state(**arguments | changes)
