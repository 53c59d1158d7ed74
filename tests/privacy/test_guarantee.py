"""The record: right numbers, honest words, a strict form."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import subprocess
import sys
from decimal import Decimal

import pytest
from altered_records import alter_one_field, dotted
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.provenance import Provenance
from tfdpzoo.privacy.record import CurvePoint, EvaluationMetrics, Metric, Status
from tfdpzoo.privacy.statement import round_up, scientific

RATE = 1024 / 50_000


def state(**changes) -> PrivacyGuarantee:
    """The CIFAR-10 setting: N = 50,000, B = 1024, 30 epochs."""
    arguments = {
        "segments": [Segment(0.845, RATE, 1464)],
        "delta": 1e-5,
        "clip_norm": 1.0,
        "examples": 50_000,
        "expected_batch": 1024,
        "planned_updates": 1464,
        "target_epsilon": 7.0,
    }
    return PrivacyGuarantee.state(**{**arguments, **changes})


@pytest.fixture(scope="module")
def guarantee() -> PrivacyGuarantee:
    return state()


@pytest.mark.parametrize(
    ("noise_multiplier", "updates", "by_pld", "by_rdp", "unamplified"),
    [(0.845, 1464, 7.00, 7.75, 47.9), (1.009, 2929, 7.00, 7.63, 61.4)],
)
def test_epsilons_of_known_runs(noise_multiplier, updates, by_pld, by_rdp, unamplified):
    """Values computed with dp-accounting 0.6.0 at N = 50,000, B = 1024, delta = 1e-5.

    The tolerances are half a unit of their last printed digit, and for PLD what its grid adds.
    """
    rows = state(segments=[Segment(noise_multiplier, RATE, updates)]).results
    assert rows[0].epsilon == pytest.approx(by_pld, abs=0.01)
    assert rows[1].epsilon == pytest.approx(by_rdp, abs=0.01)
    assert rows[2].epsilon == pytest.approx(unamplified, abs=0.1)
    assert [row.accountant for row in rows] == ["PLD", "RDP", "PLD"]
    assert [row.assumption_holds for row in rows] == [True, True, False]
    assert {row.covers for row in rows} == {"this run"}
    assert {row.accountant_version for row in rows} == {"dp-accounting 0.4.3"}


def test_the_headline_is_recomputed_from_the_segments(guarantee):
    assert guarantee.epsilon == guarantee.results[0].epsilon == guarantee.recompute()
    assert guarantee.updates.executed == 1464
    assert guarantee.mechanism.noise_standard_deviation == 0.845


def test_noise_on_the_sum_is_sigma_times_the_clipping_norm():
    mechanism = state(clip_norm=0.5, segments=[Segment(2.0, RATE, 3)]).mechanism
    assert (mechanism.noise_multiplier, mechanism.clip_norm) == (2.0, 0.5)
    assert mechanism.noise_standard_deviation == 1.0


def test_segments_add_up():
    halves = state(segments=[Segment(0.845, RATE, 732), Segment(0.845, RATE, 732)])
    # The same grid, but other Fourier transforms: rounding differs.
    assert halves.epsilon == pytest.approx(state().epsilon, rel=1e-6)


@pytest.mark.parametrize("noise_multiplier", [0.0, 0.5, 5.0])
def test_less_noise_in_one_segment_costs_more(noise_multiplier):
    mixed = state(segments=[Segment(1.0, RATE, 50), Segment(noise_multiplier, RATE, 50)])
    even = state(segments=[Segment(1.0, RATE, 100)])
    assert (mixed.epsilon > even.epsilon) == (noise_multiplier < 1.0)
    assert mixed.mechanism.noise_multiplier == min(1.0, noise_multiplier)


def test_the_curve_falls_with_delta_and_holds_the_headline(guarantee):
    deltas = [point.delta for point in guarantee.curve]
    epsilons = [point.epsilon for point in guarantee.curve]
    assert deltas == [1e-5, 1e-6, 1e-7, 1e-8, 1e-9]
    assert epsilons == sorted(epsilons)
    assert CurvePoint(guarantee.delta, guarantee.epsilon) in guarantee.curve
    other = state(delta=1.5e-5)
    assert CurvePoint(1.5e-5, other.epsilon) == other.curve[0]


def test_renyi_values_give_the_rdp_row(guarantee):
    """Mironov 2017, proposition 3: any order gives epsilon = rdp + log(1/delta) / (order - 1)."""
    bounds = [
        value + math.log(1 / guarantee.delta) / (order - 1)
        for order, value in zip(guarantee.renyi.orders, guarantee.renyi.values, strict=True)
    ]
    # dp-accounting's conversion is tighter than the proposition's by less than one here.
    assert guarantee.results[1].epsilon <= min(bounds) <= guarantee.results[1].epsilon + 1


def test_the_event_names_dp_accountings_classes(guarantee):
    event = json.loads(guarantee.to_json())["event"]
    assert event["event"] == "ComposedDpEvent"
    (repeated,) = event["events"]
    assert (repeated["event"], repeated["count"]) == ("SelfComposedDpEvent", 1464)
    sampled = repeated["repeated"]
    assert (sampled["event"], sampled["sampling_probability"]) == ("PoissonSampledDpEvent", RATE)
    assert sampled["sampled"] == {"noise_multiplier": 0.845, "event": "GaussianDpEvent"}


def test_sentence_of_a_valid_guarantee(guarantee):
    assert guarantee.valid
    assert guarantee.sentence() == (
        "The final weights of this model are differentially private with epsilon = 7.00 (rounded "
        "up) and delta = 1e-5, where neighbouring data sets differ by adding or removing one "
        "example. It covers the 1,464 updates that were executed with Poisson sampling, by PLD "
        "accounting; it does not cover hyper-parameter tuning or other uses of the same data, and "
        "makes no claim for a person with more than one example."
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", "The trainer declares, without proof, that nothing was tuned on this data."),
        ("public", "The trainer declares, without proof, that all tuning was done on public data."),
    ],
)
def test_a_declaration_of_tuning_is_the_trainers(kind, said):
    declared = state(tuning=Tuning.declared(kind))
    assert declared.tuning.declared_by_trainer
    assert declared.tuning.statement.startswith("declared by the trainer: ")
    assert declared.sentence().endswith(
        f"it does not cover other uses of the same data, and makes no claim for a person with more "
        f"than one example. {said}"
    )
    assert declared.epsilon == state().epsilon
    assert PrivacyGuarantee.from_json(declared.to_json()) == declared


def test_declarations_of_tuning_that_do_not_exist_are_refused():
    assert Tuning.declared(None) == Tuning.unknown()
    with pytest.raises(InputError, match="no declaration of tuning named 'some'"):
        Tuning.declared("some")
    with pytest.raises(InputError, match="declaration exactly if it is 'none' or 'public'"):
        Tuning("none", declared_by_trainer=False, runs=None, statement="")


def test_sentence_of_an_invalid_guarantee_says_so_first():
    invalid = state(weaknesses=["the seed was fixed.", "the seed was fixed"])
    assert not invalid.valid
    assert invalid.sentence().startswith(
        "Not a valid privacy guarantee. Reason: the seed was fixed. Otherwise this would hold: the "
        "final weights of this model are differentially private with epsilon = 7.00"
    )


@pytest.mark.parametrize(
    ("changes", "weakness"),
    [
        ({"target_epsilon": 6.9}, "the executed updates cost more than the target epsilon of 6.9"),
        ({"delta": 2e-5, "target_epsilon": None}, "delta is not below 1 / N = 1 / 50000"),
        (
            {"delta": 1e-10, "target_epsilon": None},
            "delta is below 1e-09, where the accountant's rounding may understate epsilon",
        ),
        ({"segments": [Segment(0.0, RATE, 1)]}, "no finite epsilon holds for the executed updates"),
    ],
)
def test_weaknesses_that_the_numbers_show(changes, weakness):
    assert state(**changes).weaknesses == (weakness,)


def test_a_run_without_privacy_is_marked_and_recorded():
    plain = state(segments=[Segment(0.0, RATE, 10)], clip_norm=None, target_epsilon=None)
    assert plain.epsilon == math.inf
    assert plain.sentence().startswith("No privacy guarantee: epsilon is infinite. Reason: gradien")
    text = plain.to_json()
    assert '"epsilon": "infinity"' in text
    json.loads(text, parse_constant=pytest.fail)
    assert plain.mechanism.name.startswith("none")
    assert PrivacyGuarantee.from_json(text) == plain
    assert plain.recompute() == math.inf


def test_an_untrained_model_costs_nothing():
    untrained = state(segments=[])
    assert (untrained.epsilon, untrained.updates.executed) == (0.0, 0)
    assert "epsilon = 0.00" in untrained.sentence()
    assert PrivacyGuarantee.from_json(untrained.to_json()) == untrained


def test_what_is_not_accounted_is_said(guarantee):
    fields = json.loads(guarantee.to_json())
    assert fields["tuning"]["kind"] == "not accounted"
    assert fields["tuning"]["runs"] is None
    assert fields["tuning"]["statement"].startswith("not accounted")
    assert len(fields["other_accesses"]) == 6
    assert not any(access["in_epsilon"] for access in fields["other_accesses"])
    assert fields["pre_training"]["statement"].startswith("none declared")
    assert fields["updates"]["resumptions"].startswith("not recorded")
    assert fields["sampling"]["physical_batch_cap"] is None
    assert fields["unit"]["examples_per_person"] is None
    assert fields["provenance"]["data_fingerprint"].startswith("none")
    assert fields["audit"] is None
    assert fields["evaluation"] is None
    assert fields["unit"]["user_level_claim"].startswith("none")
    assert "not a cryptographic generator" in fields["mechanism"]["random_numbers"]


def test_metrics_and_the_digest_are_added_without_changing_the_claim(guarantee):
    bound = guarantee.with_metrics({"loss": 0.5, "accuracy": 0.97}).with_weights("ab" * 32)
    assert bound.evaluation.metrics == (Metric("accuracy", 0.97), Metric("loss", 0.5))
    assert bound.provenance.weights_sha256 == "ab" * 32
    assert bound.claim == guarantee.claim
    with pytest.raises(InputError, match="metric loss is not a finite number"):
        guarantee.with_metrics({"loss": math.nan})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"delta": 0.0}, "Delta must be above 0 and below 1, not 0.0"),
        ({"delta": math.nan}, "Delta must be above 0 and below 1, not nan"),
        ({"expected_batch": 50_001}, "expected batch of 50001 does not fit 50000 training"),
        ({"clip_norm": 0.0}, "clipping norm must be a finite number above 0, not 0.0"),
        ({"clip_norm": None}, "without clipping cannot have a noise multiplier"),
        ({"neighboring_relation": "REPLACE_ONE"}, "no neighbouring relation named 'REPLACE_ONE'"),
    ],
)
def test_impossible_statements_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        state(**changes)


@given(st.floats(0, 1e300))
def test_printed_epsilon_is_never_smaller(value):
    assert Decimal(round_up(value)) >= Decimal(value)
    # Two digits after the point, or two significant ones: at most a hundredth or a tenth too large.
    assert Decimal(round_up(value)) <= Decimal(value) * Decimal("1.1") + Decimal("1e-320") or (
        Decimal(round_up(value)) - Decimal(value) <= Decimal("0.01")
    )


@given(st.floats(1e-300, 0.999))
def test_printed_delta_is_never_smaller(value):
    assert Decimal(value) <= Decimal(scientific(value)) * Decimal("1.0000000000000001")
    assert Decimal(scientific(value)) <= Decimal(value) * Decimal("1.0101")


EPSILONS = st.floats(0, allow_nan=False)
TEXTS = st.text(max_size=20)


@st.composite
def records(draw, guarantee: PrivacyGuarantee) -> PrivacyGuarantee:
    """Records of the right form whose contents are arbitrary."""
    segments = draw(
        st.lists(
            st.builds(
                Segment,
                st.floats(0, 1e9),
                st.floats(0, 1, exclude_min=True),
                st.integers(1, 10**12),
            ),
            max_size=3,
        )
    )
    weaknesses = tuple(draw(st.lists(TEXTS, max_size=2)))
    metrics = draw(st.none() | st.dictionaries(TEXTS, st.floats(-1e9, 1e9), max_size=3))
    record = dataclasses.replace(
        guarantee,
        status=Status(not weaknesses, weaknesses),
        claim=dataclasses.replace(
            guarantee.claim,
            epsilon=draw(EPSILONS),
            delta=draw(st.floats(0, 1, exclude_min=True, exclude_max=True)),
            target_epsilon=draw(st.none() | EPSILONS),
        ),
        updates=dataclasses.replace(guarantee.updates, segments=tuple(segments)),
        curve=tuple(draw(st.lists(st.builds(CurvePoint, st.floats(0, 1), EPSILONS), max_size=3))),
        evaluation=None if metrics is None else EvaluationMetrics(draw(TEXTS), ()),
        provenance=dataclasses.replace(
            guarantee.provenance, hardware=draw(TEXTS), commit=draw(st.none() | TEXTS)
        ),
    )
    return record if metrics is None else record.with_metrics(metrics)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_json_round_trip(guarantee, data):
    record = data.draw(records(guarantee))
    text = record.to_json()
    assert PrivacyGuarantee.from_json(text) == record
    assert PrivacyGuarantee.from_json(text).to_json() == text
    assert text.isascii()


def test_json_is_deterministic_and_readable(guarantee):
    names = list(json.loads(guarantee.to_json()))
    assert names[:4] == ["sentence", "schema_version", "status", "claim"]
    assert guarantee.to_json() == dataclasses.replace(guarantee).to_json()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_missing_unknown_and_mistyped_fields_are_named(guarantee, data):
    fields = json.loads(guarantee.to_json())
    wrong = alter_one_field(fields, data)
    with pytest.raises(InputError) as caught:
        PrivacyGuarantee.from_json(json.dumps(fields))
    assert dotted(wrong) in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"epsilon": 6.9', '"epsilon": -6.9', "claim.epsilon .* must be a number of 0 or more"),
        ('"epsilon": 6.9', '"epsilon": NaN, "x": 6.9', "holds NaN, which is not a number of JSON"),
        (
            '"delta": 1e-05',
            '"delta": "infinity"',
            'claim.delta .* must be a number, not "infinity"',
        ),
        ('"delta": 1e-05', '"delta": 1e999', "claim.delta .* must be a finite number"),
        ('"delta": 1e-05', '"delta": 1.5', "Delta must be above 0 and below 1, not 1.5"),
        ('"valid": true', '"valid": 1', "status.valid .* must be true or false, not 1"),
        ('"valid": true', '"valid": false', "is valid exactly if it lists no weaknesses"),
        ('"kind": "not accounted"', '"kind": "some"', 'tuning.kind .* must be "none" or "public"'),
        ('"scheme": "poisson"', '"scheme": "shuffle"', 'sampling.scheme .* must be "poisson", not'),
        ('"kind": "not accounted"', '"kind": "none"', "trainer's declaration exactly if it is"),
        ('"planned": 1464', '"planned": 1464.0', "updates.planned .* must be a whole number"),
        ('"planned": 1464', '"planned": 1, "planned": 2', "repeats the field planned"),
        ('"schema_version": 1', '"schema_version": 2', "schema version 2; this tfdpzoo reads ver"),
        ('"results": [', '"results": [], "x": [', "unknown|does not know"),
        ('"name": "ADD_OR_REMOVE_ONE"', '"name": "X"', "no neighbouring relation named 'X'"),
        ('"examples": 50000', '"examples": 0', "at least one training example"),
        ("{", "[", "not valid JSON"),
    ],
)
def test_broken_records_are_refused(guarantee, old, new, message):
    text = guarantee.to_json()
    assert old in text
    with pytest.raises(InputError, match=message):
        PrivacyGuarantee.from_json(text.replace(old, new, 1))


def test_json_that_is_no_record_is_refused():
    for text in ("", "null", "[]", "{}", "1" * 5000, "[" * 100_000, b"\xff"):
        with pytest.raises(InputError, match="The privacy record"):
            PrivacyGuarantee.from_json(text)


def _digest_of_packages_by_pip() -> str:
    """As the field's description says, from another list of what is installed."""
    command = [sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    names = {canonicalize_name(each["name"]): each["version"] for each in listed}
    lines = "".join(f"{name}=={names[name]}\n" for name in sorted(names))
    return hashlib.sha256(lines.encode()).hexdigest()


def test_provenance_of_this_process():
    provenance = Provenance.current()
    assert provenance.dp_accounting == "0.4.3"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", provenance.date)
    assert "cores" in provenance.hardware
    assert re.fullmatch(r"[0-9a-f]{64}", provenance.packages_sha256)
    assert provenance.packages_sha256 == _digest_of_packages_by_pip()
    assert Provenance.current(hardware="one H200").hardware == "one H200"
    assert provenance.commit is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", provenance.commit)
