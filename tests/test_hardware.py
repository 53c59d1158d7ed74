"""The accelerators that a record names."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tensorflow as tf
from small_jobs import job_of

from tfdpzoo import hardware
from tfdpzoo.dpsgd.model import PrivateModel


def test_the_hardware_of_a_gpu_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdpzoo.dpsgd.model.accelerators", lambda: ["2 x NVIDIA H200"])
    job = job_of()

    recorded = PrivateModel(job.model, job.plan).guarantee()

    assert recorded.provenance.hardware == "2 x NVIDIA H200"


def test_equal_accelerators_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [SimpleNamespace(name=f"/device:GPU:{index}") for index in range(3)]
    details = dict(zip("012", ({"device_name": name} for name in "AAB"), strict=True))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: devices)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda device: details[device.name[-1]]
    )

    assert hardware.accelerators() == ["2 x A", "B"]
