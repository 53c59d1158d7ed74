"""`tfdpzoo tune`: from a recipe's space to a model that carries the cost of the whole search."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_searches import PretendedTrials

from tfdpzoo.dimension import Dimension
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.tuning.search_folder import TrialFolder
from tfdpzoo.tuning.search_state import SearchState
from tfdpzoo.tuning.trial_result import TrialResult
from tfdpzoo.version_folder import read_privacy_file
from tfdpzoo.zoo import catalog

SMALL = ("--set", "width=1", "--set", "batch_size=256", "--set", "epochs=4")
DIGITS = ("smoothnet", "--recipe", "digits", "--epsilon", 7, *SMALL)
RANGE = '{ min = 2.0, max = 40.0, sampling = "log" }'
TWO_TRIALS = next(seed for seed in range(100) if RepetitionLaw("logarithmic", 3.0).draw(seed) == 2)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A search of two trials that was run to its end, in a folder of its own."""
    from tfdpzoo.cli.main import main

    folder = tmp_path_factory.mktemp("searched")
    written = io.StringIO()
    arguments = ("tune", *DIGITS, "--trials", 3, "--insecure-seed", TWO_TRIALS)
    before = Path.cwd()
    os.chdir(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(os.chdir, before)
        stack.enter_context(contextlib.redirect_stdout(written))
        code = main([*map(str, arguments), "--record", "results.csv", "--alias", "best", "--json"])
    (search,) = (folder / "searches").iterdir()
    model = folder / "saved_models" / "smoothnet-digits" / "1"
    fields = json.loads(written.getvalue())
    return SimpleNamespace(code=code, folder=folder, search=search, model=model, fields=fields)


def test_the_model_carries_the_cost_of_the_search(searched: SimpleNamespace) -> None:
    assert searched.code == 0
    guarantee = read_privacy_file(searched.model).guarantee
    search = guarantee.tuning.search
    assert search is not None and search.law == RepetitionLaw("logarithmic", 3.0)
    assert guarantee.claim.target_epsilon == 7.0
    assert 6.99 < guarantee.epsilon <= 7.0
    assert search.trial_epsilon < 6
    assert guarantee.evaluation is not None


def test_json_says_what_the_record_says(searched: SimpleNamespace) -> None:
    guarantee = read_privacy_file(searched.model).guarantee
    assert searched.fields["epsilon"] == guarantee.epsilon
    assert searched.fields["sentence"] == guarantee.sentence()
    assert set(searched.fields["settings"]) == {
        *("optimizer.learning_rate", "privacy.clip_norm", "averaging_decay"),
    }
    # How many trials there were is for nobody who reads a script's output.
    assert "trials" not in searched.fields


def test_it_verifies(searched: SimpleNamespace, program: Callable[..., SimpleNamespace]) -> None:
    outcome = program("verify", searched.model)
    assert outcome.code == 0, outcome
    assert "is intact" in outcome.out


def test_nothing_of_the_losing_trial_is_left(searched: SimpleNamespace) -> None:
    names = {path.name for path in searched.search.rglob("*") if path.is_file()}
    assert not any(name.endswith(".checkpoint") for name in names)
    assert not list((searched.search / "trials").iterdir())
    with (searched.search / "metrics.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
    assert (searched.search / "parallel-coordinates.png").exists()


def test_the_model_does_not_tell_how_many_trials_there_were(searched: SimpleNamespace) -> None:
    """Nor which of them it was; both are in the private folder of the search alone."""
    state = SearchState.read(searched.search / "search.json")
    assert state is not None and state.trials == 2
    record = json.loads((searched.model / "assets.extra" / "privacy.json").read_text())
    search = record["tuning"]["search"]
    assert search["trials"] is None and search["updates"] is None
    facts = json.loads((searched.model / "assets.extra" / "model.json").read_text())
    assert facts["training"]["curve"] == []
    assert str(searched.search.name) not in json.dumps([record, facts])
    # To the day: with the time at which the search began it would tell how long that took.
    assert len(record["provenance"]["date"]) == len("2026-11-27")


def test_the_result_is_recorded_with_the_settings(searched: SimpleNamespace) -> None:
    with (searched.folder / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["guarantee"].startswith("invalid: ")
    assert "best: optimizer.learning_rate = " in row["command"]
    assert len(row["date"]) == len("2026-11-27")


def test_a_search_that_has_ended_does_not_go_on(
    searched: SimpleNamespace, refused: Callable[..., str]
) -> None:
    said = refused("tune", "--resume", searched.search)
    assert said == f"The search has ended; its model is {searched.model}."


def test_the_new_version_has_its_alias(
    searched: SimpleNamespace, program: Callable[..., SimpleNamespace]
) -> None:
    models = searched.folder / "saved_models"
    assert "best" in program("models", "list", "--models", models).out


def _stopped(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> PretendedTrials:
    """Trials that train nothing; the search ends before anything of theirs is exported."""
    monkeypatch.setattr("tfdpzoo.cli.search_session.release_best", _stopped)
    return PretendedTrials(monkeypatch)


def test_crashes_are_told_and_the_search_goes_on(
    program: Callable[..., SimpleNamespace], pretended: PretendedTrials
) -> None:
    pretended.crashing = ("1",)
    outcome = program("tune", *DIGITS, "--mode", "adaptive", "--trials", 3)
    assert pretended.run == ["0", "1", "2"]
    assert "Traceback" not in outcome.err
    assert "crashed" in outcome.out
    assert "its process was ended by SIGKILL" in outcome.out


def test_what_a_search_shows(
    program: Callable[..., SimpleNamespace], pretended: PretendedTrials
) -> None:
    outcome = program("tune", *DIGITS, "--mode", "adaptive", "--trials", 3)
    for text in (
        "epsilon 7, delta 0.0001, for the whole search",
        "every trial counts",
        "optimizer.learning_rate, privacy.clip_norm, averaging_decay",
        "held out to score on",
        "All of this is private to the search",
    ):
        assert text in outcome.out


def test_a_search_that_keeps_its_trials_says_what_is_covered(
    program: Callable[..., SimpleNamespace],
    pretended: PretendedTrials,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tfdpzoo.cli.search_session.release_others", _stopped)
    outcome = program("tune", *DIGITS, "--mode", "adaptive", "--trials", 2, "--keep-trials")
    assert pretended.run == ["0", "1"]
    assert "the models of all trials are covered by the guarantee" in outcome.out
    assert "only the best model is released" not in outcome.out


@pytest.mark.parametrize(
    ("oracle", "asked", "run"), [("random", 4, 4), ("grid", 100, 24), ("hyperband", 8, 6)]
)
def test_oracles_of_keras_tuner(
    oracle: str,
    asked: int,
    run: int,
    program: Callable[..., SimpleNamespace],
    pretended: PretendedTrials,
    tmp_path: Path,
) -> None:
    """The grid has 24 points, and of Hyperband the largest that fits is run."""
    (tmp_path / "space.py").write_text(
        "def space(hp):\n"
        "    return {'privacy.clip_norm': hp.Choice('clip', [0.1, 0.2, 0.3]),\n"
        "            'averaging_decay': hp.Choice('decay', [0.0, 0.9])}\n"
    )
    recipe = tmp_path / "grid.toml"
    text = Path(__file__).parents[2].joinpath("zoo/smoothnet/recipes/digits.toml").read_text()
    recipe.write_text(
        text.replace("{ min = 2.0, max = 40.0, sampling", "{ values = [5.0, 9.0] } #")
    )
    options = ("--recipe", recipe) if oracle == "grid" else ("--space", "space.py:space")
    arguments = ("smoothnet", "--dataset", "digits", "--epsilon", 7, *SMALL, *options)
    program("tune", *arguments, "--mode", "adaptive", "--oracle", oracle, "--trials", asked)
    assert len(pretended.run) == run


def test_a_stopped_search_says_how_to_go_on(
    program: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class StoppedTrials(PretendedTrials):
        resumed = False

        def __call__(self, folder: TrialFolder) -> TrialResult:
            if self.run and not self.resumed:
                raise KeyboardInterrupt
            return super().__call__(folder)

    trials = StoppedTrials(monkeypatch)
    outcome = program("tune", *DIGITS, "--mode", "adaptive", "--trials", 3)
    assert outcome.code == 130
    (search,) = (tmp_path / "searches").iterdir()
    assert "Stopped after 1 trial;" in outcome.err
    assert f"tfdpzoo tune --resume searches/{search.name}" in outcome.err
    monkeypatch.setattr("tfdpzoo.cli.search_session.release_best", _stopped)
    trials.run = []
    trials.resumed = True
    program("tune", "--resume", search)
    assert trials.run == ["1", "2"]


def test_an_argument_that_the_model_does_not_take_costs_no_trial(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    misspelt = {"architecture.witdh": Dimension(values=(2.0, 4.0))}
    recipe = tmp_path / "misspelt.toml"
    digits = catalog.recipe("smoothnet", "digits")
    recipe.write_text(dataclasses.replace(digits, tune=misspelt, sources={}).to_toml())
    said = refused("tune", "smoothnet", "--recipe", recipe, "--epsilon", 7)
    assert said.startswith("There is no argument of smoothnet named 'witdh'; did you mean 'width'")
