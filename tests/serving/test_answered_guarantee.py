"""A record from a server: what can be checked of it from afar is."""

from __future__ import annotations

import json

import pytest

from tfdpzoo.serving.answered_guarantee import check_answer


def edited(record: str, old: str, new: str) -> str:
    assert record.count(old) >= 1
    return record.replace(old, new)


def test_an_honest_answer(record):
    found = check_answer(record)
    assert found.ok
    assert found.problems == ()
    assert found.guarantee.to_json() == record
    assert found.recomputed_epsilon == pytest.approx(found.guarantee.epsilon, rel=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("epsilon = 2.39", "epsilon = 0.39", "not in the form that tfdpzoo writes"),
        ('"executed": 20', '"executed":  20', "not in the form that tfdpzoo writes"),
        ('"executed": 20', '"executed": 21', "updates.executed = 21, but its own updates give 20"),
        ('"delta": 0.0001', '"delta": 0.0005', "states claim.epsilon = "),
        ('"planned": 20,', "", "lacks the field updates.planned"),
        ('"schema_version": 1', '"schema_version": 9', "has schema version 9"),
        ('"the final weights"', '"the final \\u001b[31mweights"', "characters that cannot be seen"),
    ],
)
def test_an_edited_answer(record, old, new, problem):
    found = check_answer(edited(record, old, new))
    assert not found.ok
    assert any(problem in each for each in found.problems), found.problems
    assert all(each.isprintable() for each in found.problems)


def test_an_epsilon_lower_than_its_event_gives(record):
    """Whoever knows the format writes sentence and fields that fit each other."""
    fields = json.loads(record)
    fields["claim"]["epsilon"] = 0.5
    found = check_answer(json.dumps(fields))
    assert any("states claim.epsilon = 0.5, but its own" in each for each in found.problems)


def test_a_record_of_no_weights(record):
    digest = json.loads(record)["provenance"]["weights_sha256"]
    found = check_answer(edited(record, f'"{digest}"', "null"))
    assert found.problems == (
        "The record names no weights that it is about: it lacks their digest.",
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"a": NaN}', "[" * 100_000])
def test_what_is_no_record(text):
    found = check_answer(text)
    assert found.guarantee is None
    assert len(found.problems) == 1
