"""Dimensions: what `[tune]` may hold, how many values that is, and how mistakes are told."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tfdpzoo.dimension import SAMPLINGS, Dimension, read_dimensions, refuse_not_searched
from tfdpzoo.errors import InputError

_NUMBERS = st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6)


@st.composite
def dimensions(draw: st.DrawFn) -> Dimension:
    if draw(st.booleans()):
        one_kind = draw(st.sampled_from([_NUMBERS, st.text(max_size=5), st.booleans()]))
        values = draw(st.lists(one_kind, min_size=2, max_size=5, unique=True))
        assume(len({float(v) if isinstance(v, int) else v for v in values}) == len(values))
        return Dimension(values=tuple(values))
    sampling = draw(st.sampled_from(SAMPLINGS))
    low = draw(_NUMBERS) if sampling == "linear" else draw(st.floats(1e-6, 10.0))
    high = low + draw(st.floats(0.5, 1e3) | st.integers(1, 1000))
    step = None
    if sampling == "linear" and draw(st.booleans()):
        step = (high - low) / draw(st.integers(1, 20))
    return Dimension(minimum=low, maximum=high, step=step, sampling=sampling)


@given(dimensions())
def test_a_dimension_survives_its_table(dimension: Dimension) -> None:
    assert Dimension.from_table(dimension.to_table()) == dimension


@pytest.mark.parametrize(
    ("table", "size", "whole"),
    [
        ({"values": [1, 2, 5]}, 3, True),
        ({"values": [0.5, 1]}, 2, False),
        ({"values": ["a", "b"]}, 2, False),
        ({"values": [True, False]}, 2, False),
        ({"min": 1, "max": 5}, 5, True),
        ({"min": 16, "max": 512, "sampling": "log"}, 497, True),
        ({"min": 16, "max": 512, "sampling": "log", "step": 2}, 6, True),
        ({"min": 1, "max": 10, "step": 4}, 3, True),
        ({"min": 0.1, "max": 0.7, "step": 0.1}, 7, False),
        ({"min": 0.1, "max": 0.8, "step": 2, "sampling": "log"}, 4, False),
        ({"min": 1, "max": 3, "step": 0.5}, 5, False),
        ({"min": 1.0, "max": 3}, None, False),
        ({"min": 0.5, "max": 8.0, "sampling": "reverse_log"}, None, False),
    ],
)
def test_how_many_values_there_are(table: dict, size: int | None, whole: bool) -> None:
    dimension = Dimension.from_table(table)
    assert (dimension.size, dimension.whole) == (size, whole)


def test_whole_and_other_numbers_become_numbers_of_one_kind() -> None:
    assert Dimension(values=(0.5, 1)).values == (0.5, 1.0)
    assert {type(value) for value in Dimension(values=(0.5, 1)).values or ()} == {float}
    assert {type(value) for value in Dimension(values=(2, 1)).values or ()} == {int}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "give either values, or min and max."),
        ({"min": 1}, "give either values, or min and max."),
        ({"max": 1, "step": 0.1}, "give either values, or min and max."),
        ({"values": [1, 2], "min": 1}, "give either values, or min and max."),
        ({"values": [1, 2], "step": 1}, "give either values, or min and max."),
        ({"values": [1, 2], "sampling": "log"}, "sampling belongs to min and max"),
        ({"values": 3}, "values must be a list, got 3."),
        ({"values": "ab"}, "values must be a list, got 'ab'."),
        ({"values": []}, "values must be at least two; a single one is no search."),
        ({"values": [1]}, "values must be at least two; a single one is no search."),
        ({"values": [[1], [2]]}, "values must be numbers, texts, or true and false."),
        ({"values": [1.0, math.nan]}, "values must be numbers, texts, or true and false."),
        ({"values": [1.0, math.inf]}, "values must be numbers, texts, or true and false."),
        ({"values": [1, 10**400]}, "values must be numbers, texts, or true and false."),
        ({"values": ["a", 1]}, "values must be all numbers, all texts, or true and false, got"),
        ({"values": [1, True]}, "values must be all numbers, all texts, or true and false, got"),
        ({"values": [1, 1.0]}, "values must differ from each other, got [1, 1.0]."),
        ({"values": ["a", "a"]}, "values must differ from each other, got ['a', 'a']."),
        ({"min": 2, "max": 2}, "min must be below max, got 2 and 2."),
        ({"min": 3, "max": 2}, "min must be below max, got 3 and 2."),
        ({"min": "1", "max": 2}, "min must be a finite number, got '1'."),
        ({"min": True, "max": 2}, "min must be a finite number, got True."),
        ({"min": 1, "max": math.inf}, "max must be a finite number, got inf."),
        ({"min": math.nan, "max": 2}, "min must be a finite number, got nan."),
        ({"min": 1, "max": 10**400}, "max must be a finite number, got 1000"),
        ({"min": 1, "max": 2, "step": "1"}, "step must be a finite number, got '1'."),
        ({"min": 1, "max": 9, "step": 0}, "step must be above 0 with sampling 'linear', got 0."),
        ({"min": 1, "max": 9, "step": -1}, "step must be above 0 with sampling 'linear', got -1."),
        (
            {"min": 1, "max": 9, "step": 1, "sampling": "log"},
            "step must be above 1 with sampling 'log', got 1.",
        ),
        (
            {"min": 1, "max": 9, "step": 2, "sampling": "reverse_log"},
            "a step has no meaning with sampling 'reverse_log'.",
        ),
        ({"min": 1, "max": 2, "step": 3}, "step 3 leaves a single value, which is no search."),
        (
            {"min": 1, "max": 2, "step": 3, "sampling": "log"},
            "step 3 leaves a single value, which is no search.",
        ),
        ({"min": 0, "max": 2, "sampling": "log"}, "sampling 'log' needs a min above 0."),
        ({"min": -1, "max": 2, "sampling": "reverse_log"}, "'reverse_log' needs a min above 0."),
        ({"min": 1, "max": 2, "sampling": "lgo"}, "no sampling named 'lgo'; did you mean 'log'"),
        ({"minimum": 1, "max": 2}, "no field of a searched setting named 'minimum'; did you"),
    ],
)
def test_mistakes_are_one_sentence(table: dict, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        Dimension.from_table(table)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_keys_are_dotted_or_nested() -> None:
    rate, average = Dimension(minimum=1, maximum=2), Dimension(values=(0.9, 0.99))
    expected = {"optimizer.learning_rate": rate, "averaging_decay": average}

    assert read_dimensions(expected) == expected
    tables = {key: each.to_table() for key, each in expected.items()}
    assert read_dimensions(tables) == expected
    nested = {
        "optimizer": {"learning_rate": rate.to_table()},
        "averaging_decay": average.to_table(),
    }
    assert read_dimensions(nested) == expected


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"averaging_decay": 3}, "tune.averaging_decay must be a table such as { values = [1, 2]"),
        ({"optimizer": {"momentum": 3}}, "tune.optimizer: There is no field of a searched setting"),
        ({"optimizer": {"momentum": {}}}, "tune.optimizer.momentum: give either values, or min"),
        (
            {"a.b": {"values": [1, 2]}, "a": {"b": {"values": [3, 4]}}},
            "tune.a.b is given twice; give it once.",
        ),
    ],
)
def test_mistakes_name_the_setting(table: dict, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read_dimensions(table)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("privacy.epsilon", "the budget of the whole search decides it"),
        ("privacy.delta", "the budget of the whole search decides it"),
        ("dataset", "all trials have the same examples"),
        ("image_size", "all trials have the same examples"),
        ("execution.chunk", "it changes the speed and nothing else"),
    ],
)
def test_what_trials_have_in_common_is_not_searched(key: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"^{key} cannot be searched: {reason}.$"):
        refuse_not_searched(key)


def test_all_else_is_searched() -> None:
    for key in ("privacy.clip_norm", "privacy.batch_size", "optimizer.name", "architecture.width"):
        refuse_not_searched(key)
