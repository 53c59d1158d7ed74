"""What TF_CONFIG says, and what is refused of it."""

from __future__ import annotations

import json

import pytest
import tensorflow as tf

from tfdpzoo.cluster import Cluster, WorkerLostError, cluster_of, lost_workers_told
from tfdpzoo.distribution import make_strategy
from tfdpzoo.errors import InputError

WORKERS = ["host1:2222", "host2:2222"]


def config(workers=WORKERS, index=0, kind="worker", **more) -> str:
    task = {"type": kind, "index": index}
    return json.dumps({"cluster": {"worker": workers, **more}, "task": task})


def test_the_first_worker_leads() -> None:
    first, second = (Cluster.from_text(config(index=index)) for index in (0, 1))

    assert (first.leads, second.leads) == (True, False)
    assert first.workers == tuple(WORKERS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "lacks workers"),
        ("[]", "lacks workers"),
        ('{"cluster": {"worker": ["a:1"]}}', "lacks workers"),
        (config(workers=[]), "list of addresses"),
        (config(workers="a:1"), "list of addresses"),
        (config(workers=["a"]), "list of addresses"),
        (config(workers=["a:1", "a:1"]), "same address"),
        (config(index=2), "index is 2 and must be from 0 to 1"),
        (config(index=-1), "index is -1"),
        (config(index="0"), "index is '0'"),
        (config(index=True), "index is True"),
        (config(kind="chief"), "of the type worker"),
        (config(ps=["a:3"]), "of the type worker"),
    ],
)
def test_what_is_not_right_is_told(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as refused:
        Cluster.from_text(text)

    assert "TF_CONFIG" in str(refused.value)


def test_a_missing_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)

    with pytest.raises(InputError, match="on each worker with its own index"):
        make_strategy("multiworker")


def test_one_process_is_no_cluster() -> None:
    assert cluster_of(make_strategy("none")) is None
    assert cluster_of(make_strategy("mirrored", 2)) is None


def test_a_lost_worker_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", config())
    message = (
        "Graph execution error:\n\nCollective ops is aborted by: Connection reset by peer\nmore"
    )

    with pytest.raises(WorkerLostError) as lost, lost_workers_told():
        raise tf.errors.UnavailableError(None, None, message)

    assert "Connection reset by peer)" in str(lost.value)
    assert "--resume" in str(lost.value)
    assert "\n" not in str(lost.value)


def test_other_errors_are_not_taken_for_a_lost_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(tf.errors.CancelledError), lost_workers_told():
        raise tf.errors.CancelledError(None, None, "no cluster")

    monkeypatch.setenv("TF_CONFIG", config())
    with pytest.raises(tf.errors.InvalidArgumentError), lost_workers_told():
        raise tf.errors.InvalidArgumentError(None, None, "a shape")
