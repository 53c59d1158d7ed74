"""Which strategies there are, and what they cannot do."""

from __future__ import annotations

import subprocess
import sys

import pytest
import tensorflow as tf

from tfdpzoo.distribution import describe, make_strategy
from tfdpzoo.errors import InputError

without_gpu = pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="a GPU takes the place of the processor"
)


@without_gpu
@pytest.mark.parametrize(
    ("replicas", "words"), [(1, "1 replica"), (2, "2 replicas, mirrored"), (4, "4 replicas, mir")]
)
def test_parts_of_the_processor_stand_for_devices(replicas: int, words: str) -> None:
    strategy = make_strategy("mirrored", replicas)

    assert strategy.num_replicas_in_sync == replicas
    assert describe(strategy).startswith(words)


@pytest.mark.parametrize(
    ("name", "replicas", "reason"),
    [
        ("horovod", None, "no strategy named 'horovod'"),
        ("none", 2, r"A number of replicas \(2\) is for the strategy mirrored, not for none"),
        ("multiworker", 2, "not for multiworker"),
        pytest.param("mirrored", None, "--replicas 2", marks=without_gpu),
        # The tests' own processor has 4 parts, and TensorFlow has started.
        pytest.param("mirrored", 64, "cannot have 64 now", marks=without_gpu),
    ],
)
def test_what_cannot_be_is_told(name: str, replicas: int | None, reason: str) -> None:
    tf.constant(0)

    with pytest.raises(InputError, match=reason):
        make_strategy(name, replicas)


def test_the_names_are_known_without_tensorflow() -> None:
    code = "import sys, tfdpzoo.distribution; sys.exit('tensorflow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
