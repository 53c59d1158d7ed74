"""Trials in processes of their own: what becomes of those that fail."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from failing_hypermodels import failing
from small_searches import DATA, DELTA, SETTINGS

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.run_lock import locked
from tfdpzoo.tuning.private_tuner import PrivateTuner
from tfdpzoo.tuning.search_folder import TrialFolder
from tfdpzoo.tuning.search_plan import SearchBudget
from tfdpzoo.tuning.trial_process import run_in_a_process
from tfdpzoo.tuning.trial_result import TrialResult
from tfdpzoo.tuning.trials import TrialOrder

_LONG_ENOUGH = 90.0
_RUN = (
    "import sys; from pathlib import Path; from tfdpzoo.tuning.search_folder import TrialFolder; "
    "from tfdpzoo.tuning.trial_process import run_in_a_process; "
    "run_in_a_process(TrialFolder(Path(sys.argv[1])))"
)


@pytest.fixture(scope="module")
def tuner(tmp_path_factory: pytest.TempPathFactory) -> PrivateTuner:
    """A search that has begun."""
    tuner = PrivateTuner(
        failing,
        SearchBudget(8.0, DELTA, trials=4),
        SETTINGS,
        held_out=0.2,
        directory=tmp_path_factory.mktemp("search"),
        insecure_seed=1,
    )
    tuner.begin(DATA)
    return tuner


def _ordered(tuner: PrivateTuner, name: str, way: str) -> TrialFolder:
    folder = tuner.folder.trial(name)
    folder.path.mkdir(parents=True)
    TrialOrder({"way": way, "learning_rate": 1.0}).write(folder)
    return folder


def test_a_trial_is_trained_and_scored(tuner: PrivateTuner) -> None:
    folder = _ordered(tuner, "1", "none")
    result = run_in_a_process(folder)
    assert result.outcome == "completed" and result.reason is None
    plan = tuner.state.plan
    assert result.updates == plan.updates == Ledger.load(folder.ledger).updates
    assert result.epsilon == pytest.approx(plan.trial_epsilon)
    # A whole number of right answers, and noise whose deviation is about 2 of 40.
    assert result.score is not None
    right = result.score * plan.held_out_examples
    assert right == pytest.approx(round(right))
    assert abs(result.score - 1) < 0.4
    assert TrialResult.read(folder) == result


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("raise", "ended with code 1: ValueError: 3 is no number of layers"),
        ("kill", "ended by SIGKILL, which the system does when memory runs out"),
        ("no model", "ended with code 1: .* is no keras.Model"),
    ],
)
def test_a_trial_that_fails_says_why_and_fails_alone(
    way: str, reason: str, tuner: PrivateTuner
) -> None:
    folder = _ordered(tuner, f"1{len(way)}", way)
    result = run_in_a_process(folder)
    assert (result.outcome, result.score, result.epsilon) == ("crashed", None, None)
    assert result.reason is not None
    assert re.search(reason, result.reason), result.reason
    assert TrialResult.read(folder) == result


def test_a_trial_ends_with_whoever_began_it(tuner: PrivateTuner) -> None:
    """Also when that is killed: otherwise the trial would train beside the one that goes on."""
    folder = _ordered(tuner, "20", "wait")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    leader = subprocess.Popen([sys.executable, "-c", _RUN, str(folder.path)], env=environment)
    _wait_until(lambda: _is_locked(folder))
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    _wait_until(lambda: not _is_locked(folder))
    assert not folder.result.exists()


def _is_locked(folder: TrialFolder) -> bool:
    if not folder.lock.exists():
        return False
    try:
        with locked(folder.lock):
            return False
    except InputError:
        return True


def _wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _LONG_ENOUGH
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.2)
