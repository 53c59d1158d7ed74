"""Filters and order: nothing is lost, nothing appears, what is not known comes last."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.registry.index import RegisteredVersion
from tfdpzoo.registry.selection import SORT_KEYS, Selection
from tfdpzoo.registry.version_facts import VersionFacts

FACTS = st.builds(
    VersionFacts,
    epsilon=st.floats(0, 20) | st.just(float("inf")),
    delta=st.just(1e-5),
    valid=st.booleans(),
    accuracy=st.none() | st.floats(0, 1),
    parameters=st.none() | st.integers(0, 1000),
    model=st.none(),
    recipe=st.none(),
    dataset=st.sampled_from([None, "digits", "mnist"]),
    date=st.sampled_from(["2026-11-27", "2026-11-28"]),
    digest=st.just(""),
)
VERSIONS = st.lists(
    st.builds(
        RegisteredVersion,
        name=st.sampled_from("ab"),
        version=st.integers(1, 5),
        path=st.just(Path()),
        aliases=st.just(()),
        facts=st.none() | FACTS,
        problem=st.none(),
    ),
    max_size=8,
)


@given(VERSIONS, st.sampled_from(SORT_KEYS), st.booleans())
def test_everything_readable_is_there_in_order(
    versions: list[RegisteredVersion], by: str, reverse: bool
) -> None:
    found = Selection().sorted(versions, by, reverse=reverse)
    readable = [each for each in versions if each.facts is not None]

    assert sorted(map(id, found)) == sorted(map(id, readable))
    if by in ("accuracy", "parameters"):
        values = [getattr(each.facts, by) for each in found]
        known = [value for value in values if value is not None]
        assert values == known + [None] * (len(values) - len(known))
        assert known == sorted(known, reverse=reverse)


@given(VERSIONS, st.floats(0, 20), st.floats(0, 1))
def test_an_invalid_guarantee_has_no_epsilon(
    versions: list[RegisteredVersion], epsilon: float, accuracy: float
) -> None:
    found = Selection(max_epsilon=epsilon, min_accuracy=accuracy).sorted(versions, "epsilon")

    for each in versions:
        facts = each.facts
        expected = (
            facts is not None
            and facts.valid
            and facts.epsilon <= epsilon
            and facts.accuracy is not None
            and facts.accuracy >= accuracy
        )
        assert any(each is other for other in found) == expected


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"max_epsilon": -1.0}, "largest epsilon is -1.0"),
        ({"max_epsilon": float("nan")}, "largest epsilon is nan"),
        ({"min_accuracy": 95.0}, "smallest accuracy is 95.0; give a number from 0 to 1"),
        ({"max_parameters": -1}, "largest number of parameters is -1"),
    ],
)
def test_limits_without_a_meaning_are_refused(limits: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Selection(**limits)  # type: ignore[arg-type]
