"""A search that is killed goes on, and neither runs nor counts anything twice."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_runs import KillAfter, Released, run, start, weights_of
from small_searches import DATA, LAW, PretendedTrials, adaptive_tuner, random_tuner

from tfdpzoo.tuning.private_tuner import PrivateTuner
from tfdpzoo.tuning.trial_result import best_trials
from tfdpzoo.version_folder import read_privacy_file

KILLS = 10
MANY_TRIALS = next(seed for seed in range(100) if LAW.draw(seed) == 11)


class KilledError(BaseException):
    """Stands for the end of the process: nothing catches it."""


class Killer:
    """Ends whatever makes a file durable, at the call that it is set to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        for name in ("fsync", "rename"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: object) -> None:
            if self.left is not None:
                self.left -= 1
                if self.left <= 0:
                    raise KilledError
            call(*arguments)

        return counted


def _random(folder: Path) -> PrivateTuner:
    return random_tuner(folder, insecure_seed=MANY_TRIALS)


def _adaptive(folder: Path) -> PrivateTuner:
    return adaptive_tuner(folder, 11)


@pytest.mark.parametrize("make", [_random, _adaptive])
def test_ten_kills_change_nothing(
    make: Callable[[Path], PrivateTuner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At ten random ones of the calls by which files get to the disk."""
    killer = Killer(monkeypatch)
    PretendedTrials(monkeypatch)
    undisturbed = make(tmp_path / "undisturbed")
    undisturbed.search(DATA, verbose=0)

    generator = random.Random(0)
    disturbed = PretendedTrials(monkeypatch)
    killed = 0
    while killed < KILLS:
        killer.left = generator.randint(1, 14)
        with pytest.raises(KilledError):
            make(tmp_path / "disturbed").search(DATA, verbose=0)
        killed += 1
    killer.left = None
    found = make(tmp_path / "disturbed")
    found.search(DATA, verbose=0)

    # A trial is run again only if it was killed before its result was on the disk: this is
    # asserted in each pretended trial.
    assert set(disturbed.run) == {f"{number:02d}" for number in range(11)}
    assert found.state.trials == undisturbed.state.trials == 11
    assert found.state.plan == undisturbed.state.plan
    assert found.state.plan.search() == undisturbed.state.plan.search()
    if make is _random:
        assert _ranks(found) == _ranks(undisturbed)


def test_the_number_of_trials_is_drawn_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever could draw again would choose; with a real secret a second draw would differ."""
    killer = Killer(monkeypatch)
    PretendedTrials(monkeypatch)
    states = set()
    for left in (8, 5, 5):
        killer.left = left
        tuner = random_tuner(tmp_path, insecure_seed=None)
        with pytest.raises(KilledError):
            tuner.search(DATA, verbose=0)
        states.add((tuner.state.trials, tuner.state.secret))
    assert len(states) == 1


TUNE = (
    *("tune", "smoothnet", "--dataset", "digits", "--epsilon", "7", "--delta", "1e-4"),
    *("--set", "width=1", "--set", "batch_size=256", "--set", "epochs=6"),
    *("--seed", "0", "--insecure-seed", "7", "--trials", "3"),
)


@pytest.mark.slow  # Real processes; that nothing is run or counted twice is tested above.
def test_ten_real_kills_at_random_times(tmp_path: Path) -> None:
    assert run(tmp_path / "undisturbed", TUNE).exit_code == 0
    undisturbed = _released(tmp_path / "undisturbed")
    generator = random.Random(3)
    folder, killed = tmp_path / "disturbed", 0
    while killed < KILLS:
        fault = KillAfter(generator.uniform(2, 14))
        outcome = start(folder, _go_on(folder), fault).wait()
        assert outcome.exit_code == -9, outcome
        killed += 1
    ended = run(folder, _go_on(folder))
    assert ended.exit_code == 0, ended
    found = _released(folder)
    assert found.epsilon == undisturbed.epsilon
    assert found.updates == undisturbed.updates
    assert found.distance(undisturbed) == 0


def _go_on(folder: Path) -> tuple[str, ...]:
    begun = [path for path in folder.glob("searches/*") if (path / "search.json").exists()]
    return ("tune", "--resume", str(begun[0])) if begun else TUNE


def _released(folder: Path) -> Released:
    """The newest model, with the epsilon of its whole search."""
    (version,) = (folder / "saved_models" / "smoothnet-digits").iterdir()
    guarantee = read_privacy_file(version).guarantee
    assert guarantee.tuning.search is not None
    return Released(
        weights_of(version), guarantee.updates.executed, guarantee.tuning.search.total_epsilon
    )


def _ranks(tuner: PrivateTuner) -> list[str]:
    return [folder.name for folder, _ in best_trials(tuner.folder)]
