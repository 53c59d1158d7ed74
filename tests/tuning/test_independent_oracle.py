"""Draws that depend on the secret and the number of the trial, and on nothing else."""

from __future__ import annotations

import collections
import itertools

import keras_tuner
import pytest
from scipy import stats

from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.tuning.independent_oracle import IndependentOracle
from tfdpzoo.tuning.objective import counted_objective


def space() -> keras_tuner.HyperParameters:
    parameters = keras_tuner.HyperParameters()
    parameters.Float("rate", 0.1, 10.0, sampling="log")
    parameters.Choice("clip", [0.1, 0.3, 1.0])
    parameters.Int("warmup", 0, 5)
    return parameters


def oracle_of(parameters: keras_tuner.HyperParameters, seed: int = 0) -> IndependentOracle:
    oracle = IndependentOracle(counted_objective(), hyperparameters=parameters, max_trials=10_000)
    oracle.key = SecretKey.from_seed(seed)
    return oracle


def drawn(oracle: IndependentOracle, trial: int) -> dict:
    response = oracle.populate_space(f"{trial:04d}")
    assert response["status"] == "RUNNING"
    return response["values"]


def test_a_proposal_is_a_function_of_the_key_and_the_number_alone():
    in_order = [drawn(oracle_of(space()), number) for number in range(20)]
    oracle = oracle_of(space())

    backwards = [drawn(oracle, number) for number in reversed(range(20))]

    assert in_order == backwards[::-1]
    # The name of a trial has as many zeros as the number of trials has digits.
    assert oracle.populate_space("7")["values"] == in_order[7]
    assert drawn(oracle_of(space(), seed=1), 7) != in_order[7]
    assert len({values["rate"] for values in in_order}) == 20


def test_results_of_other_trials_change_nothing(tmp_path):
    def proposals(scores: list[float]) -> list[dict]:
        oracle = oracle_of(space())
        oracle._set_project_dir(str(tmp_path), f"{scores[0]}")
        found = []
        for number, score in enumerate(scores):
            trial = oracle.create_trial("tuner0")
            assert int(trial.trial_id) == number
            found.append(trial.hyperparameters.values)
            oracle.update_trial(trial.trial_id, {"held_out_accuracy": score})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        return found

    assert proposals([0.1, 0.9, 0.2, 0.3]) == proposals([0.8, 0.1, 0.7, 0.1])


def test_one_setting_does_not_decide_another():
    parameters = keras_tuner.HyperParameters()
    parameters.Float("one", 0.0, 1.0)
    parameters.Float("other", 0.0, 1.0)
    values = [drawn(oracle_of(parameters), number) for number in range(500)]

    found = stats.spearmanr([v["one"] for v in values], [v["other"] for v in values])
    # A fixed key: independent draws are below this once in a thousand keys.
    assert found.pvalue > 1e-3


def test_settings_may_repeat_each_other():
    parameters = keras_tuner.HyperParameters()
    parameters.Choice("clip", [0.1, 1.0])
    oracle = oracle_of(parameters)

    values = [drawn(oracle, number)["clip"] for number in range(64)]

    # KerasTuner's random search would have stopped after the second.
    assert set(values) == {0.1, 1.0}
    pairs = collections.Counter(itertools.pairwise(values))
    assert len(pairs) == 4


def test_values_are_equally_likely():
    oracle = oracle_of(space())
    values = [drawn(oracle, number) for number in range(3_000)]

    for name in ("clip", "warmup"):
        counts = collections.Counter(each[name] for each in values)
        assert len(counts) == {"clip": 3, "warmup": 6}[name]
        # A fixed key: equally likely values are below this once in a thousand keys.
        assert stats.chisquare(list(counts.values())).pvalue > 1e-3
    logarithms = [stats.loguniform(0.1, 10.0).cdf(each["rate"]) for each in values]
    assert stats.kstest(logarithms, "uniform").pvalue > 1e-3


def test_a_setting_under_a_condition_is_drawn_where_that_holds():
    parameters = keras_tuner.HyperParameters()
    parameters.Choice("optimizer", ["sgd", "adam"])
    with parameters.conditional_scope("optimizer", ["sgd"]):
        parameters.Float("momentum", 0.0, 0.9)
    oracle = oracle_of(parameters)

    values = [drawn(oracle, number) for number in range(50)]

    assert {each["optimizer"] for each in values} == {"sgd", "adam"}
    for each in values:
        assert ("momentum" in each) == (each["optimizer"] == "sgd")


def test_without_a_secret_nothing_is_drawn():
    oracle = IndependentOracle(counted_objective(), hyperparameters=space())
    with pytest.raises(ValueError, match="secret of the search has to be set"):
        oracle.populate_space("0")
