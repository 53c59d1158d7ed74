"""A search that goes on asks a fresh oracle, which gives back what was proposed before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from driven_oracles import drive, scores_of, space
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)

from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.tuning.independent_oracle import IndependentOracle
from tfdpzoo.tuning.objective import counted_objective
from tfdpzoo.tuning.proposals import read_proposal, remember_proposals
from tfdpzoo.tuning.search_folder import SearchFolder

TRIALS = 6


def _independent() -> IndependentOracle:
    oracle = IndependentOracle(counted_objective(), max_trials=TRIALS, hyperparameters=space())
    oracle.key = SecretKey.from_seed(0)
    return oracle


def _with_trials(kind: Any) -> keras_tuner.Oracle:
    return kind(objective=counted_objective(), max_trials=TRIALS, hyperparameters=space())


def _bayesian() -> BayesianOptimizationOracle:
    # One proposal in view of scores is enough, and takes seconds with more dimensions.
    parameters = keras_tuner.HyperParameters()
    parameters.Float("rate", 0.1, 10.0, sampling="log")
    parameters.Boolean("average")
    oracle = BayesianOptimizationOracle(
        counted_objective(),
        max_trials=TRIALS,
        hyperparameters=parameters,
        num_initial_points=TRIALS - 1,
    )
    oracle.gpr.n_restarts_optimizer = 0
    return oracle


# None has a seed: a second one proposes otherwise, unless the first one's proposals are kept.
ORACLES = {
    "independent": _independent,
    "random": lambda: _with_trials(RandomSearchOracle),
    "bayesian": _bayesian,
    "grid": lambda: _with_trials(GridSearchOracle),
    "hyperband": lambda: HyperbandOracle(
        counted_objective(), max_epochs=9, factor=3, hyperparameters=space()
    ),
}


def run(name: str, folder: Path, most: int | None = None) -> list[dict[str, Any]]:
    oracle = ORACLES[name]()
    remember_proposals(oracle, SearchFolder(folder))
    # KerasTuner's own files are deleted whenever a search goes on.
    shutil.rmtree(folder / "keras_tuner", ignore_errors=True)
    return drive(oracle, folder, scores_of(0), most)


@pytest.fixture(params=ORACLES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_fresh_oracle_is_given_back_all_that_was_proposed(name, tmp_path):
    first = run(name, tmp_path)
    assert len(first) == (23 if name == "hyperband" else TRIALS)

    # Equality of floats is that of their bits here: none is zero or not a number.
    assert run(name, tmp_path) == first


def test_what_is_kept_is_what_was_proposed_bit_by_bit(name, tmp_path):
    first = run(name, tmp_path)

    folders = SearchFolder(tmp_path).all_trials()
    assert [read_proposal(folder) for folder in folders] == first
    assert [int(folder.name) for folder in folders] == list(range(len(first)))


def test_after_a_crash_the_first_half_stays_and_the_search_comes_to_its_end(name, tmp_path):
    first = run(name, tmp_path, most=TRIALS // 2)

    whole = run(name, tmp_path)

    assert whole[: TRIALS // 2] == first
    assert len(whole) == (23 if name == "hyperband" else TRIALS)
    assert run(name, tmp_path) == whole


def test_without_them_a_fresh_oracle_proposes_otherwise(tmp_path):
    # Or the tests above could not fail.
    for name in ("random", "bayesian", "hyperband"):
        one, other = (
            drive(ORACLES[name](), tmp_path / f"{name}{number}", scores_of(0), TRIALS // 2)
            for number in (0, 1)
        )
        assert one != other


def test_what_an_oracle_has_no_trial_for_is_not_kept(tmp_path):
    oracle = ORACLES["random"]()
    oracle.populate_space = lambda trial_id: {"status": "STOPPED"}
    remember_proposals(oracle, SearchFolder(tmp_path))

    assert oracle.populate_space("0") == {"status": "STOPPED"}
    assert not list(tmp_path.iterdir())


def test_a_fresh_oracle_that_finds_no_more_is_given_back_what_was_proposed(tmp_path):
    first = run("random", tmp_path, most=1)
    oracle = ORACLES["random"]()
    oracle.populate_space = lambda trial_id: {"status": "STOPPED"}
    remember_proposals(oracle, SearchFolder(tmp_path))

    assert oracle.populate_space("0") == {"status": "RUNNING", "values": first[0]}
    assert oracle.populate_space("1") == {"status": "STOPPED"}
