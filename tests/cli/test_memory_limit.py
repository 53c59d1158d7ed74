"""`--memory-limit`: images that do not fit into it are read by index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from image_sources import TRAIN, write_folder

from tfdpzoo import run_record
from tfdpzoo.checkpoint_interval import DEFAULT_INTERVAL
from tfdpzoo.cli.train import ResumeOrder
from tfdpzoo.cli.training_session import _order_of
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_record import RunRecord

SMALL = (
    *("train", "smoothnet", "--epsilon", "7", "--delta", "1e-3", "--dataset", "photos"),
    *("--set", "width=1", "--set", "depth=1", "--set", "batch_size=6", "--set", "epochs=2"),
    *("--seed", "0", "--insecure-seed", "1", "--checkpoint-every", "1"),
)
UPDATES = 10


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize("text", ["256", "lots", "0GB"])
def test_a_bad_amount_is_refused(refused, command: str, text: str) -> None:
    arguments = {
        "train": ("train", "smoothnet", "--epsilon", "7"),
        "evaluate": ("evaluate", "saved_models", "--dataset", "digits"),
    }[command]
    said = refused(*arguments, "--memory-limit", text)
    assert said.startswith(f"'{text}' is no amount of memory; give a number and a unit, such as")


def test_an_amount_below_an_image_is_refused(refused, tmp_path: Path) -> None:
    write_folder(tmp_path)
    said = refused(*SMALL, "--memory-limit", "100B")
    assert said == (
        "The images of photos do not fit into memory: a single one takes 144 B, the limit is 100 B."
    )


def _image_first_sampled_at(update: int) -> int:
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=5.0, delta=1e-3, examples=TRAIN, batch_size=6, updates=UPDATES
    )
    batches = plan.batches(np.zeros((TRAIN, 1, 1, 1)), np.zeros(TRAIN, int), SecretKey.from_seed(1))
    before = {int(index) for each in range(update) for index in batches.sample(each)}
    return next(int(index) for index in batches.sample(update) if int(index) not in before)


@pytest.mark.slow  # Three runs; what is refused is in tests/data and test_training_by_index.py.
def test_a_run_that_a_damaged_image_ended_goes_on_when_it_is_repaired(
    program, tmp_path: Path, monkeypatch
) -> None:
    """It ends as a run with all images in memory does."""
    write_folder(tmp_path)
    whole = program(*SMALL, "--out", "whole", "--json")
    assert whole.code == 0, whole.err
    assert "read when they are used" not in whole.err

    files = sorted((tmp_path / "photos" / "train").rglob("*.png"))
    damaged = files[_image_first_sampled_at(4)]
    intact = damaged.read_bytes()
    digest = run_record.digest_of_data

    def digest_then_damage(dataset, run):
        found = digest(dataset, run)
        damaged.write_bytes(intact[:50])
        return found

    monkeypatch.setattr(run_record, "digest_of_data", digest_then_damage)
    ended = program(*SMALL, "--out", "parts", "--runs", "broken", "--memory-limit", "2KB")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith(
        f"Error: The image photos/train/{damaged.parent.name}/{damaged.name} cannot be read ("
    )
    assert "read when they are used: decoded, all would take 5.484 KiB" in ended.out + ended.err
    assert not (tmp_path / "parts").exists()
    (run,) = (tmp_path / "broken").iterdir()
    # The ledger counts an update before its images are there.
    assert Ledger.load(run / "ledger.json").updates == 5
    assert max(each.name for each in (run / "checkpoints").iterdir()) == "000000004.checkpoint"
    assert json.loads((run / "run.json").read_text())["memory_limit"] == 2000

    monkeypatch.setattr(run_record, "digest_of_data", digest)
    damaged.write_bytes(intact)
    resumed = program("train", "--resume", run, "--json")
    assert resumed.code == 0, resumed.err
    assert "read when they are used" in resumed.err
    found, expected = json.loads(resumed.out), json.loads(whole.out)
    assert found["updates"] == expected["updates"] == UPDATES
    assert found["epsilon"] == expected["epsilon"]
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)

    evaluate = ("evaluate", "parts", "--dataset", "photos", "--json")
    by_index, in_memory = program(*evaluate, "--memory-limit", "2KB"), program(*evaluate)
    assert (by_index.code, by_index.out) == (0, in_memory.out)

    record = RunRecord.read(run / "run.json")
    assert record.memory_limit == 2000
    for given, expected in ((None, 2000), (2**20, 2**20)):
        order = _order_of(record, _resumed(run, given), RunFolder(run))
        assert order.memory_limit == expected


def _resumed(run: Path, memory_limit: int | None) -> ResumeOrder:
    return ResumeOrder(
        run=run,
        more_epochs=None,
        epsilon=None,
        data_dir=None,
        strategy=None,
        replicas=None,
        memory_limit=memory_limit,
        record=None,
        as_json=False,
        command="",
        checkpoint_every=DEFAULT_INTERVAL,
        keep_checkpoints=2,
        patience=10,
    )
