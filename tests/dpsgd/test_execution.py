"""Settings of performance stand apart from the plan."""

from __future__ import annotations

import dataclasses

import pytest

from tfdpzoo.dpsgd.engine import ENGINES
from tfdpzoo.dpsgd.execution import DEFAULT_CHUNKS, ExecutionSettings
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError


def test_every_engine_has_a_default_chunk():
    assert set(DEFAULT_CHUNKS) == set(ENGINES)
    for engine in ENGINES:
        assert ExecutionSettings().chunk_for(engine) == DEFAULT_CHUNKS[engine] >= 1
        assert ExecutionSettings(chunk=7).chunk_for(engine) == 7


@pytest.mark.parametrize("chunk", [0, -1, 1.5, True, "8"])
def test_chunk_of_no_whole_example(chunk):
    with pytest.raises(
        InputError, match=f"chunk is {chunk!r}; it must be a whole number of examples"
    ):
        ExecutionSettings(chunk=chunk)


def test_settings_are_frozen_and_apart_from_the_plan():
    """A setting of speed that is also a field of the plan could change the guarantee."""
    fields = {field.name for field in dataclasses.fields(ExecutionSettings)}
    assert fields.isdisjoint(field.name for field in dataclasses.fields(PrivacyPlan))
    with pytest.raises(dataclasses.FrozenInstanceError):
        ExecutionSettings().chunk = 3
