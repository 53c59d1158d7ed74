"""Verification of records whose tuning is accounted: nothing in them can be made to claim less."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
from searches import LAWS, adaptive_search, random_search, record_of
from stand_in import guarantee_with

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.privacy.search import Search
from tfdpzoo.verification import check_arithmetic

SEARCHES = {
    **{f"random, {law.name}": random_search(law=law) for law in LAWS},
    "random, renyi": random_search(bound="renyi"),
    "adaptive": adaptive_search(),
    "adaptive, all": adaptive_search(released="all trials"),
    "adaptive, renyi": adaptive_search(bound="renyi", updates=100),
    "scores cost more": adaptive_search(score_noise_multiplier=1.0),
}


@pytest.fixture(scope="module")
def random() -> PrivacyGuarantee:
    return record_of(random_search())


@pytest.fixture(scope="module")
def adaptive() -> PrivacyGuarantee:
    return record_of(adaptive_search())


@pytest.fixture(scope="module")
def plain() -> PrivacyGuarantee:
    return guarantee_with()


def altered(record: Any, where: str, value: Any) -> Any:
    """Returns a record with the field at a dotted path replaced."""
    name, _, rest = where.partition(".")
    inner = value if not rest else altered(getattr(record, name), rest, value)
    return dataclasses.replace(record, **{name: inner})


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES.keys())
def test_honest_records_pass(search: Search) -> None:
    record = PrivacyGuarantee.from_json(record_of(search).to_json())
    assert record.valid
    epsilon, problems = check_arithmetic(record)
    assert problems == []
    assert epsilon == record.epsilon == record.recompute() == search.total_epsilon


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("law", RepetitionLaw("logarithmic", 9.0)),
        ("law", RepetitionLaw("logarithmic", 1.01)),
        ("law", RepetitionLaw("geometric", 10.0)),
        ("law", RepetitionLaw("poisson", 10.0)),
        ("law", RepetitionLaw("truncated negative binomial", 10.0, 0.01)),
        ("trial", Segment(1.1, 0.1, 19)),
        ("trial", Segment(1.1, 0.1, 21)),
        ("trial", Segment(1.1, 0.09, 20)),
        ("trial", Segment(1.2, 0.1, 20)),
        ("bound", "renyi"),
        ("held_out_examples", 199),
        ("held_out_examples", 20_000),
        ("score_noise_multiplier", 9.0),
        ("score_noise_multiplier", 0.5),
        ("trial_epsilon", 1.0),
        ("total_epsilon", 1.0),
    ],
)
def test_no_field_of_a_random_search_can_be_altered(
    random: PrivacyGuarantee, where: str, value: Any
) -> None:
    _, problems = check_arithmetic(altered(random, f"tuning.search.{where}", value))
    assert problems


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("trials", 6),
        ("updates", 89),
        ("updates", 20),
        ("updates", 100),
        ("trial", Segment(1.1, 0.1, 19)),
        ("trial", Segment(1.1, 0.09, 20)),
        ("trial", Segment(1.2, 0.1, 20)),
        ("held_out_examples", 199),
        ("score_noise_multiplier", 9.0),
        ("trial_epsilon", 1.0),
        ("total_epsilon", 1.0),
        ("released", "all trials"),
    ],
)
def test_no_field_of_an_adaptive_search_can_be_altered(
    adaptive: PrivacyGuarantee, where: str, value: Any
) -> None:
    _, problems = check_arithmetic(altered(adaptive, f"tuning.search.{where}", value))
    assert problems


@pytest.mark.parametrize("other", SEARCHES.values(), ids=SEARCHES.keys())
def test_no_other_search_can_be_put_in_its_place(random: PrivacyGuarantee, other: Search) -> None:
    """Also not with the statement that belongs to it."""
    tuning = Tuning.accounted(other)
    _, problems = check_arithmetic(dataclasses.replace(random, tuning=tuning))
    assert (problems == []) == (other == random.tuning.search)


def test_a_search_cannot_be_left_out(random: PrivacyGuarantee) -> None:
    for tuning in (Tuning.unknown(), Tuning.declared("none"), Tuning.declared("public")):
        _, problems = check_arithmetic(dataclasses.replace(random, tuning=tuning))
        assert any("results" in each for each in problems)


def test_the_number_of_trials_of_a_random_search_is_nowhere(random: PrivacyGuarantee) -> None:
    assert random.tuning.runs is None
    assert random.tuning.search.trials is None
    _, problems = check_arithmetic(altered(random, "tuning.runs", 7))
    assert problems == ["The record states tuning.runs = 7, but its own fields give None."]


@pytest.mark.parametrize(
    "segments",
    [
        (Segment(1.1, 0.1, 21),),
        (Segment(1.0, 0.1, 20),),
        (Segment(1.1, 0.1, 20), Segment(1.1, 0.1, 1)),
    ],
)
@pytest.mark.parametrize("bound", ["exact", "renyi"])
def test_updates_beyond_the_trial_make_a_record_invalid(segments: tuple, bound: str) -> None:
    record = record_of(random_search(bound=bound), segments=segments)
    beyond = "the executed updates are not within the trial that the search accounts for"
    assert record.weaknesses == (beyond,)
    assert check_arithmetic(record)[1] == []
    hiding = dataclasses.replace(record, status=type(record.status)(True, ()))
    assert f"The record hides a weakness: {beyond}." in check_arithmetic(hiding)[1]


@pytest.mark.parametrize("delta", [1 / 1_000, 1 / 1_100, 1 / 1_200])
def test_delta_is_below_one_over_all_examples(delta: float) -> None:
    record = record_of(random_search(delta=delta), delta=delta)
    assert record.claim.delta_rule == (
        "delta must be below 1 / (N + held-out examples), here 1 / 1200"
    )
    assert record.weaknesses == ("delta is not below 1 / (N + held-out examples) = 1 / 1200",)
    below = math.nextafter(1 / 1_200, 0)
    assert record_of(random_search(delta=below), delta=below).valid


def test_a_target_is_of_the_whole_search() -> None:
    record = record_of(random_search(), target_epsilon=4.0)
    assert record.weaknesses == ("the search costs more than the target epsilon of 4",)


def test_epsilons_that_were_not_computed_at_this_delta_are_refused() -> None:
    with pytest.raises(InputError, match=r"trial_epsilon of the search is .*, but at delta 0.0001"):
        record_of(random_search(delta=1e-3))
    lower = dataclasses.replace(random_search(), total_epsilon=1.0)
    with pytest.raises(InputError, match="total_epsilon of the search is 1, but at delta"):
        record_of(lower)


@pytest.mark.parametrize("search", [random_search(), adaptive_search()], ids=["random", "adaptive"])
@pytest.mark.parametrize(
    ("field", "alter"),
    [
        ("epsilon", lambda row: row.epsilon * (1 - 1e-5)),
        ("covers", lambda row: "this run" if "whole" in row.covers else "the whole search"),
        ("assumption_holds", lambda row: not row.assumption_holds),
        ("accountant", lambda row: f"{row.accountant}, exact"),
        ("sampling_assumption", lambda row: "none"),
        ("delta", lambda row: row.delta / 2),
    ],
)
def test_every_row_is_compared(search: Search, field: str, alter: Callable[[Any], Any]) -> None:
    record = record_of(search)
    # The grid is that of the first row by PLD, which keeps its name.
    kept = [row.accountant for row in record.results].index("PLD") if field == "accountant" else -1
    rows = tuple(
        row if index == kept else dataclasses.replace(row, **{field: alter(row)})
        for index, row in enumerate(record.results)
    )
    _, problems = check_arithmetic(dataclasses.replace(record, results=rows))
    assert [each.split()[3] for each in problems] == [
        f"results[{index}].{field}" for index in range(len(rows)) if index != kept
    ]


NAMES = ("mechanism.engine", "mechanism.compute_precision", "relation.name", "tuning.kind")
"""Texts that nothing else in the record tells, or that choose what the others say."""


@pytest.mark.parametrize("record", ["plain", "random", "adaptive"])
def test_every_generated_text_is_compared(record: str, request: pytest.FixtureRequest) -> None:
    altered_record = honest = request.getfixturevalue(record)
    due = set()
    parts = ("claim", "setting", "unit", "relation", "mechanism", "updates", "tuning", "renyi")
    for part in (*parts, "pre_training"):
        for field in dataclasses.fields(getattr(honest, part)):
            where, value = f"{part}.{field.name}", getattr(getattr(honest, part), field.name)
            if isinstance(value, str) and where not in NAMES:
                altered_record = altered(altered_record, where, f"{value}, and more")
                due.add(where)
    accesses = tuple(dataclasses.replace(each, in_epsilon=True) for each in honest.other_accesses)
    altered_record = dataclasses.replace(altered_record, other_accesses=accesses)
    due |= {f"other_accesses[{index}].in_epsilon" for index in range(len(accesses))}
    _, problems = check_arithmetic(altered_record)
    assert {each.split()[3] for each in problems} == due
    assert len(due) > 25


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("unit.examples_per_person", 1),
        ("relation.examples_public", False),
        ("sampling.physical_batch_cap", 128),
        ("sampling.examples", 500),
        ("provenance.data_fingerprint", "0123"),
        ("pre_training.statement", "none at all"),
        ("updates.segments", (Segment(1.1, 0.05, 20),)),
    ],
)
def test_other_fields_that_claim_more_are_found(
    plain: PrivacyGuarantee, where: str, value: Any
) -> None:
    assert check_arithmetic(altered(plain, where, value))[1]


@pytest.mark.parametrize("interval", [1e-12, 1e-6, 1.5, 1e6, 1e300])
def test_odd_grids_are_refused(random: PrivacyGuarantee, interval: float) -> None:
    rows = tuple(
        dataclasses.replace(row, discretization_interval=row.discretization_interval and interval)
        for row in random.results
    )
    epsilon, problems = check_arithmetic(dataclasses.replace(random, results=rows))
    assert epsilon is None
    assert problems == [f"The record's discretisation interval of {interval:g} is not plausible."]


def test_a_coarse_grid_claims_more(adaptive: PrivacyGuarantee) -> None:
    search = adaptive_search(discretization_interval=0.5)
    coarse = record_of(search, discretization_interval=0.5)
    assert check_arithmetic(coarse) == (coarse.epsilon, [])
    assert coarse.epsilon > adaptive.epsilon


def test_a_trial_without_updates_costs_as_much(random: PrivacyGuarantee) -> None:
    """The best trial is what the search paid for, whatever the run made of it."""
    record = record_of(random_search(), segments=[])
    assert record.valid
    assert record.epsilon == random.epsilon
    assert check_arithmetic(record) == (record.epsilon, [])


def test_a_search_that_cannot_be_computed_is_a_sentence(random: PrivacyGuarantee) -> None:
    """Of so rare updates next to nothing is left, which rounding takes below zero."""
    tiny = altered(random, "tuning.search.trial", Segment(1e9, 1e-12, 1))
    law = altered(tiny, "tuning.search.law", RepetitionLaw("poisson", 10.0))
    for record in (tiny, law):
        _, problems = check_arithmetic(record)
        assert problems
        assert all(each.endswith(".") for each in problems)
