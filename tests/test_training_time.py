"""How long a run will take, told before it begins."""

from __future__ import annotations

import dataclasses

import pytest
from small_jobs import EPOCHS, job_of

from tfdpzoo.training_time import estimate_seconds


def test_the_time_of_a_run_is_estimated_from_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of()
    longer = dataclasses.replace(
        job.recipe, privacy=dataclasses.replace(job.recipe.privacy, epochs=20 * EPOCHS)
    )
    monkeypatch.setattr("tfdpzoo.training_time._seconds_by_chunk", lambda job, chunk: 0.5)

    seconds = estimate_seconds(job)

    # 400 sampled examples, and 2 * 50 tests at a third of the cost.
    assert seconds == pytest.approx(0.5 * (400 + 100 / 3) / 64)
    assert estimate_seconds(job_of(recipe=longer)) == pytest.approx(20 * seconds, rel=0.02)


def test_a_chunk_is_timed_without_private_examples() -> None:
    seconds = estimate_seconds(job_of())

    assert 0 < seconds < 60
