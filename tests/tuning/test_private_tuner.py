"""The tuner for Python: what it refuses, what it runs, and what it says that it cost."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import dp_accounting
import keras_tuner
import numpy as np
import pytest
from dp_accounting import dp_event, rdp
from small_jobs import stripes
from small_searches import (
    DATA,
    DELTA,
    LAW,
    SETTINGS,
    PretendedTrials,
    adaptive_tuner,
    dense,
    pretended_score,
    random_tuner,
)

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.saved_model import export
from tfdpzoo.tuning.objective import counted_objective
from tfdpzoo.tuning.private_tuner import PrivateTuner
from tfdpzoo.tuning.result_files import TABLE
from tfdpzoo.tuning.search_folder import SearchFolder
from tfdpzoo.tuning.search_plan import SearchBudget
from tfdpzoo.verification import verify

TWO_TRIALS = next(seed for seed in range(100) if LAW.draw(seed) == 2)
FIVE_TRIALS = next(seed for seed in range(100) if LAW.draw(seed) == 5)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> PrivateTuner:
    """A search of two trials in processes of their own."""
    tuner = random_tuner(tmp_path_factory.mktemp("ended"), insecure_seed=TWO_TRIALS)
    tuner.search(DATA.train_images, DATA.train_labels, verbose=0)
    return tuner


def test_the_guarantee_is_of_the_whole_search(ended: PrivateTuner) -> None:
    """Recomputed from what the record says, by the accountant itself."""
    guarantee = ended.guarantee()
    search = guarantee.tuning.search
    assert search is not None and search.law == LAW
    trial = dp_accounting.SelfComposedDpEvent(
        dp_accounting.PoissonSampledDpEvent(
            search.trial.sampling_rate,
            dp_accounting.GaussianDpEvent(search.trial.noise_multiplier),
        ),
        search.trial.updates,
    )
    score = dp_accounting.GaussianDpEvent(search.score_noise_multiplier)
    costs = [
        rdp.RdpAccountant()
        .compose(dp_event.RepeatAndSelectDpEvent(event, 4.0, 1.0))
        .get_epsilon(DELTA)
        for event in (trial, score)
    ]

    assert guarantee.epsilon == pytest.approx(max(costs), rel=1e-9)
    # The budget is met to the tolerance of the calibration of the noise.
    assert 7.99 < guarantee.epsilon <= 8.0
    assert guarantee.claim.target_epsilon == 8.0
    assert guarantee.updates.segments == (search.trial,)
    assert search.trial_epsilon < guarantee.epsilon
    assert search.held_out_examples + guarantee.sampling.examples == len(DATA.train_labels)


def test_a_known_seed_alone_makes_it_invalid(ended: PrivateTuner) -> None:
    (weakness,) = ended.guarantee().weaknesses
    assert "fixed, known seed" in weakness


def test_nothing_in_the_record_tells_how_many_trials_there_were(ended: PrivateTuner) -> None:
    """A search of as many examples and of any number of trials has the same record."""
    fields = ended.guarantee().to_fields()
    tuning = fields["tuning"]
    assert tuning["runs"] is None
    assert tuning["search"]["trials"] is None
    assert tuning["search"]["updates"] is None


def test_the_best_model_is_the_best_trial_s(ended: PrivateTuner) -> None:
    (model,) = ended.get_best_models()
    logits = model.predict(DATA.test_images.astype("float32"), verbose=0)
    # Stripes are told apart by nearly every learning rate of the space.
    assert np.mean(logits.argmax(axis=1) == DATA.test_labels) > 0.8


def test_no_other_model_is_covered(ended: PrivateTuner) -> None:
    with pytest.raises(InputError, match="covers the best model alone, not 2"):
        ended.get_best_models(2)
    other = keras_tuner.engine.trial.Trial(
        None, trial_id="1" if ended.found.best_folder.name == "0" else "0"
    )
    with pytest.raises(InputError, match="covers the best model alone, not trial"):
        ended.load_model(other)


def test_a_search_that_was_killed_at_its_end_deletes_the_losers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedTrials(monkeypatch)
    tuner = random_tuner(tmp_path, insecure_seed=FIVE_TRIALS)
    with monkeypatch.context() as killed:
        killed.setattr(PrivateTuner, "_delete_losers", lambda tuner: None)
        tuner.search(DATA, verbose=0)
    assert len(tuner.folder.all_trials()) == 5
    random_tuner(tmp_path, insecure_seed=FIVE_TRIALS).search(DATA, verbose=0)
    assert tuner.folder.all_trials() == [tuner.found.best_folder]


def test_losing_trials_are_deleted(ended: PrivateTuner) -> None:
    assert [each.name for each in ended.folder.all_trials()] == [ended.found.best_folder.name]
    assert not ended.folder.keras_tuner.exists()


def test_losers_are_deleted_also_by_a_search_that_was_killed_in_doing_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedTrials(monkeypatch)
    with monkeypatch.context() as killed:

        def kill(*arguments: object, **others: object) -> None:
            raise KeyboardInterrupt

        killed.setattr(SearchFolder, "remove_trials", kill)
        tuner = adaptive_tuner(tmp_path, 3)
        with pytest.raises(KeyboardInterrupt):
            tuner.search(DATA.train_images, DATA.train_labels, verbose=0)
    assert tuner.folder.winner.exists() and len(tuner.folder.all_trials()) == 3

    again = adaptive_tuner(tmp_path, 3)
    again.search(DATA.train_images, DATA.train_labels, verbose=0)

    winner = again.found.best_folder.name
    assert [each.name for each in again.folder.all_trials()] == [winner]
    assert [row["trial"] for row in _table(again)] == [winner]


def test_results_are_written_after_each_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedTrials(monkeypatch, crashing=("1",))
    tuner = adaptive_tuner(tmp_path, 3, keep_trials=True)
    seen: list[list[str]] = []
    tuner.on_trial_ended = lambda name: seen.append(  # type: ignore[method-assign]
        [row["trial"] for row in _table(tuner)]
    )
    tuner.search(DATA.train_images, DATA.train_labels, verbose=0)
    assert seen == [["0"], ["0", "1"], ["0", "1", "2"]]
    rows = _table(tuner)
    assert [row["status"] for row in rows] == ["completed", "crashed", "completed"]
    assert float(rows[2]["score"]) == pretended_score("2")
    assert 0.1 <= float(rows[2]["learning_rate"]) <= 10


def _table(tuner: PrivateTuner) -> list[dict[str, str]]:
    with (tuner.folder.path / TABLE).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_export_verifies(ended: PrivateTuner, tmp_path: Path) -> None:
    export(ended.best_private_model(), tmp_path / "1", guarantee=ended.guarantee())
    report = verify(tmp_path / "1")
    assert report.ok, report.problems
    assert report.recomputed_epsilon == pytest.approx(ended.guarantee().epsilon)


def test_a_search_that_has_ended_runs_nothing(
    ended: PrivateTuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = PretendedTrials(monkeypatch)
    again = random_tuner(ended.folder.path.parent, insecure_seed=TWO_TRIALS)
    again.search(DATA.train_images, DATA.train_labels, verbose=0)
    assert pretended.run == []
    assert again.found.best_folder.name == ended.found.best_folder.name


def test_a_search_goes_on_as_it_began_or_not_at_all(ended: PrivateTuner) -> None:
    parent = ended.folder.path.parent
    other = random_tuner(parent, insecure_seed=TWO_TRIALS, budget=SearchBudget(9.0, DELTA, law=LAW))
    with pytest.raises(InputError, match="begun with another budget"):
        other.search(DATA.train_images, DATA.train_labels, verbose=0)
    changed = stripes(first_image=3)
    with pytest.raises(InputError, match="not what the search began with"):
        random_tuner(parent, insecure_seed=TWO_TRIALS).search(
            changed.train_images, changed.train_labels, verbose=0
        )


def test_the_best_score_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = PretendedTrials(monkeypatch)
    tuner = random_tuner(tmp_path, insecure_seed=FIVE_TRIALS)
    tuner.search(DATA, verbose=0)
    assert pretended.run == ["0", "1", "2", "3", "4"]
    assert tuner.found.best_folder.name == max(pretended.run, key=pretended_score)


def test_a_crashed_trial_counts_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = max("01234", key=pretended_score)
    pretended = PretendedTrials(monkeypatch, crashing=(best, "0"))
    tuner = random_tuner(tmp_path, insecure_seed=FIVE_TRIALS)
    tuner.search(DATA, verbose=0)
    assert pretended.run == ["0", "1", "2", "3", "4"]
    left = [name for name in "01234" if name not in (best, "0")]
    assert tuner.found.best_folder.name == max(left, key=pretended_score)


def test_nothing_is_released_where_all_trials_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedTrials(monkeypatch, crashing=tuple("01234"))
    tuner = random_tuner(tmp_path, insecure_seed=FIVE_TRIALS)
    with pytest.raises(InputError, match="No trial came to its end"):
        tuner.search(DATA, verbose=0)
    with pytest.raises(InputError, match="has not ended"):
        tuner.guarantee()


def test_a_law_that_draws_no_trial_releases_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    law = RepetitionLaw("poisson", 1.5)
    none = next(seed for seed in range(100) if law.draw(seed) == 0)
    pretended = PretendedTrials(monkeypatch)
    tuner = random_tuner(tmp_path, insecure_seed=none, budget=SearchBudget(8.0, DELTA, law=law))
    with pytest.raises(InputError, match="drew no trial at all"):
        tuner.search(DATA, verbose=0)
    assert pretended.run == []


def test_every_trial_of_an_adaptive_search_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedTrials(monkeypatch)
    tuner = adaptive_tuner(tmp_path, 3)
    tuner.search(DATA, verbose=0)
    search = tuner.state.plan.search()
    assert search.trials == 3
    assert search.updates == 3 * search.trial.updates
    assert tuner.state.trials == 3


@pytest.mark.parametrize(
    "oracle", [keras_tuner.oracles.GridSearchOracle, keras_tuner.oracles.RandomSearchOracle]
)
def test_any_oracle_may_choose_where_every_trial_counts(
    oracle: type[keras_tuner.Oracle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = PretendedTrials(monkeypatch)
    adaptive_tuner(tmp_path, 4, oracle=oracle(counted_objective(), max_trials=4)).search(
        DATA, verbose=0
    )
    assert len(pretended.run) == 4


def test_hyperband_pays_for_shorter_trials_as_for_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = PretendedTrials(monkeypatch)
    oracle = keras_tuner.oracles.HyperbandOracle(counted_objective(), max_epochs=3)
    tuner = adaptive_tuner(tmp_path, 6, oracle=oracle, keep_trials=True)
    tuner.search(DATA, verbose=0)
    assert len(pretended.run) == 6
    shares = [tuner.order_of(trial).share for trial in tuner.folder.all_trials()]
    # Three whole trials and three of a third: four whole ones, see KerasTuner's Hyperband.
    assert sum(shares) == pytest.approx(4)
    assert tuner.state.plan.updates_in_all == 4 * tuner.state.plan.updates


def test_a_searched_batch_size_is_bounded_by_renyi_divergences(tmp_path: Path) -> None:
    def build(parameters: keras_tuner.HyperParameters) -> object:
        parameters.Choice("batch_size", [20, 40])
        return dense(parameters)

    budget = SearchBudget(8.0, DELTA, law=LAW)
    tuner = PrivateTuner(build, budget, SETTINGS, directory=tmp_path)
    assert tuner.bound == "renyi"
    assert random_tuner(tmp_path, insecure_seed=None).bound == "exact"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"validation_data": (DATA.test_images, DATA.test_labels)}, "nobody counts"),
        ({"validation_split": 0.1}, "nobody counts"),
        ({"epochs": 3}, "belongs to TrialSettings"),
    ],
)
def test_search_takes_nothing_that_nobody_counts(
    arguments: dict[str, object], reason: str, tmp_path: Path
) -> None:
    tuner = random_tuner(tmp_path, insecure_seed=None)
    with pytest.raises(InputError, match=reason):
        tuner.search(DATA.train_images, DATA.train_labels, **arguments)


def test_a_search_that_has_not_ended_shows_nothing(tmp_path: Path) -> None:
    tuner = random_tuner(tmp_path, insecure_seed=None)
    for ask in (tuner.get_best_models, tuner.guarantee, tuner.best_private_model):
        with pytest.raises(InputError, match="has not ended"):
            ask()


def test_overwriting_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = PretendedTrials(monkeypatch)
    random_tuner(tmp_path, insecure_seed=FIVE_TRIALS).search(DATA, verbose=0)
    random_tuner(tmp_path, insecure_seed=FIVE_TRIALS, overwrite=True).search(DATA, verbose=0)
    assert pretended.run == list("0123401234")


def test_no_other_folder_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="is not the folder of a search"):
        random_tuner(tmp_path, insecure_seed=None, overwrite=True)
    assert (tmp_path / "search" / "thesis.txt").exists()


def test_the_same_secret_gives_the_same_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedTrials(monkeypatch)
    tuners = [
        random_tuner(tmp_path / name, insecure_seed=seed)
        for name, seed in (("a", FIVE_TRIALS), ("b", FIVE_TRIALS), ("c", None))
    ]
    orders = []
    for tuner in tuners:
        tuner.search(DATA, verbose=0)
        orders.append(tuner.order_of(tuner.found.best_folder))
    assert orders[0] == orders[1] != orders[2]
    assert dataclasses.asdict(tuners[2].state)["insecure_seed"] is None
