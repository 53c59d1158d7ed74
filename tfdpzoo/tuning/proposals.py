"""The settings that an oracle proposed, kept so that a search can be replayed.

KerasTuner's own files are not written so that they survive a crash, and some of its oracles do not
go on from them (its issue 1055). So a search that goes on begins with a fresh oracle, which is
given the results of the trials that have ended as it asks for these trials again. For that every
trial has to get the settings that it had.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from tfdpzoo.durable_file import replace_durably
from tfdpzoo.tuning.search_folder import SearchFolder, TrialFolder


def remember_proposals(oracle: keras_tuner.Oracle, folder: SearchFolder) -> None:
    """Lets an oracle propose for each trial what it proposed the first time.

    Proposals are on the disk before a trial begins. So the processes that run trials read them
    from there and not from KerasTuner's protocol, which rounds numbers to single precision.

    Args:
        oracle: Any oracle, which is changed.
        folder: Of the search.
    """
    oracle.populate_space = functools.partial(_propose, oracle.populate_space, folder)


def read_proposal(folder: TrialFolder) -> dict[str, Any]:
    """Returns the settings that were proposed for a trial, by name."""
    settings: dict[str, Any] = json.loads(folder.settings.read_bytes())
    return settings


def _propose(propose: Any, folder: SearchFolder, trial_id: str) -> dict[str, Any]:
    response: dict[str, Any] = propose(trial_id)
    trial = folder.trial(trial_id)
    if trial.settings.exists() and response["status"] != TrialStatus.IDLE:
        # Also where draws of its own let a fresh oracle take a small space for exhausted.
        return {"status": TrialStatus.RUNNING, "values": read_proposal(trial)}
    if response["status"] != TrialStatus.RUNNING:
        return response
    trial.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_durably(trial.settings, json.dumps(response["values"]).encode())
    return response
