"""The record of a run that an accounted search chose: its rows, its words, its JSON."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import adaptive_search, random_search, record_of
from stand_in import guarantee_with

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import repetition
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.record import CurvePoint
from tfdpzoo.privacy.search import Search

EPSILONS = st.floats(0, allow_nan=False)


@st.composite
def searches(draw) -> Search:
    """Of both modes, all laws and bounds; the epsilons are not those that follow."""
    mode = draw(st.sampled_from(["random", "adaptive"]))
    trial = draw(st.builds(Segment, st.floats(0, 1e9), st.floats(1e-9, 1), st.integers(1, 10**9)))
    bound = draw(st.sampled_from(["exact", "renyi"]))
    law = trials = updates = None
    if mode == "random":
        name = draw(st.sampled_from(repetition.LAWS))
        shape = draw(st.floats(0.01, 100)) if name == "truncated negative binomial" else None
        law = repetition.RepetitionLaw(name, draw(st.floats(1.01, 10_000)), shape)
    else:
        trials = draw(st.integers(1, 1_000))
        most = trials * trial.updates
        updates = most if bound == "renyi" else draw(st.integers(trial.updates, most))
    return Search(
        mode=mode,
        law=law,
        trials=trials,
        trial=trial,
        updates=updates,
        bound=bound,
        held_out_examples=draw(st.integers(1, 10**12)),
        score_noise_multiplier=draw(st.floats(0.1, 1e9)),
        trial_epsilon=draw(EPSILONS),
        total_epsilon=draw(EPSILONS),
        released=draw(
            st.sampled_from(["the best trial", *(["all trials"] if trials is not None else [])])
        ),
    )


@settings(max_examples=100, deadline=None)
@given(search=searches())
def test_json_round_trip_of_accounted_tuning(search):
    record = dataclasses.replace(guarantee_with(), tuning=Tuning.accounted(search))
    text = record.to_json()
    assert PrivacyGuarantee.from_json(text) == record
    assert PrivacyGuarantee.from_json(text).to_json() == text
    assert PrivacyGuarantee.from_json(text).sentence() == record.sentence()


def test_the_words_of_a_random_search():
    record = record_of(random_search())
    assert record.sentence() == (
        "The final weights, settings and noised score of the best trial are differentially private "
        "with epsilon = 4.94 (rounded up) and delta = 1e-4, where neighbouring data sets differ by "
        "adding or removing one training or held-out example. It covers the search for settings of "
        "which this model is the best trial: a secret number, from the logarithmic law with mean "
        "10, of trials of at most 20 updates each with Poisson sampling and their noised scores, by"
        " RDP accounting; it does not cover other uses of the same data, and makes no claim for a "
        "person with more than one example. It holds only while the number of trials, how long the "
        "search took and all other trials stay secret."
    )
    assert record.tuning.statement == (
        "accounted: the settings of each trial were drawn anew from one distribution, whatever came"
        " of the others, and the number of trials from the logarithmic law with mean 10. Each "
        "executed at most 20 updates with one noise multiplier and one sampling rate and got one "
        "score: the number of right answers on 200 held-out examples with Gaussian noise of "
        "standard deviation 8. One trial costs epsilon = 2.39 by PLD accounting and the release of "
        "the best, with its settings and its noised score, epsilon = 4.94 by RDP accounting "
        "(Papernot and Steinke 2022, theorem 2). That holds only while the number of trials stays "
        "secret, as do the scores, settings and weights of all other trials, and how long the "
        "search took"
    )
    assert (record.tuning.runs, record.tuning.declared_by_trainer) == (None, False)
    for secret in ("number of trials", "scores, settings and weights", "how long the search took"):
        assert secret in record.setting.not_covered


def test_the_words_of_an_adaptive_search():
    record = record_of(adaptive_search(released="all trials"))
    assert record.sentence() == (
        "The final weights, settings and noised scores of all trials are differentially private "
        "with epsilon = 4.75 (rounded up) and delta = 1e-4, where neighbouring data sets differ by "
        "adding or removing one training or held-out example. It covers the search for settings of "
        "which this model is one trial: 5 trials of at most 20 updates each with Poisson sampling "
        "and their noised scores, by PLD accounting; it does not cover other uses of the same data,"
        " and makes no claim for a person with more than one example."
    )
    assert record.tuning.statement.endswith(
        "Released are the final weights, settings and noised scores of all trials"
    )
    assert record.tuning.runs == 5
    best = record_of(adaptive_search())
    assert best.tuning.statement.endswith("Released is the best trial; the others are covered too")


@pytest.mark.parametrize(
    ("search", "rows"),
    [
        (random_search(), ["RDP", "RDP without"]),
        (random_search(bound="renyi"), ["RDP"]),
        (adaptive_search(), ["PLD", "RDP", "PLD without"]),
        (adaptive_search(bound="renyi", updates=100), ["RDP"]),
    ],
)
def test_the_rows_of_a_search_come_before_those_of_the_run(search, rows):
    """Without amplification nothing is known of trials that are bounded by divergences alone."""
    record, alone = record_of(search), guarantee_with()
    of_search = [row for row in record.results if row.covers == "the whole search"]
    assert [
        row.accountant + ("" if row.assumption_holds else " without") for row in of_search
    ] == rows
    assert record.results == (*of_search, *alone.results)
    assert record.epsilon == of_search[0].epsilon == search.total_epsilon > alone.epsilon
    assert CurvePoint(record.delta, record.epsilon) in record.curve
    assert all(
        more >= less for more, less in zip(record.renyi.values, alone.renyi.values, strict=True)
    )
    assert record.event == alone.event


def test_a_search_belongs_to_accounted_tuning_alone():
    search = random_search()
    for kind, named in (("accounted", None), ("not accounted", search)):
        with pytest.raises(InputError, match="a search exactly if it is 'accounted'"):
            Tuning(kind, declared_by_trainer=False, runs=None, statement="", search=named)
