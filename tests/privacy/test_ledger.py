"""The ledger: counts what was executed, survives crashes, refuses what is not its own."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys

import pytest
from dp_accounting import pld, rdp
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger, Segment

MECHANISMS = st.tuples(st.sampled_from([0.0, 0.845, 1.1]), st.sampled_from([0.02, 1.0]))


@given(st.lists(st.tuples(MECHANISMS, st.integers(1, 1000)), max_size=12))
def test_segments_are_the_records_with_equal_neighbours_merged(records):
    ledger = Ledger()
    for (noise_multiplier, sampling_rate), updates in records:
        ledger.record(noise_multiplier, sampling_rate, updates)
    expected = tuple(
        Segment(*mechanism, sum(updates for _, updates in group))
        for mechanism, group in itertools.groupby(records, key=lambda record: record[0])
    )
    assert ledger.segments == expected
    assert ledger.updates == sum(updates for _, updates in records)


def test_every_record_is_on_disk_when_it_returns(tmp_path):
    path = tmp_path / "ledger.json"
    ledger = Ledger(path)
    assert Ledger.load(path).updates == 0
    for update in range(1, 6):
        ledger.record(1.0, 0.1)
        assert Ledger.load(path).segments == (Segment(1.0, 0.1, update),)


def test_record_flushes_the_file_and_then_its_folder(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path / "ledger.json")
    steps = []
    fsync, rename = os.fsync, os.rename

    def spy_fsync(descriptor):
        steps.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def spy_rename(source, target):
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "rename", spy_rename)
    ledger.record(1.0, 0.1)
    assert steps == [str(tmp_path / "ledger.json.new"), "rename", str(tmp_path)]


def test_a_loaded_ledger_goes_on_counting(tmp_path):
    path = tmp_path / "ledger.json"
    Ledger(path).record(1.0, 0.1, 7)
    resumed = Ledger.load(path)
    resumed.record(1.0, 0.1, 2)
    resumed.record(2.0, 0.1)
    assert Ledger.load(path).segments == (Segment(1.0, 0.1, 9), Segment(2.0, 0.1, 1))


def test_a_killed_process_loses_no_acknowledged_update(tmp_path):
    path = tmp_path / "ledger.json"
    program = (
        "import sys\n"
        "from tfdpzoo.privacy.ledger import Ledger\n"
        "ledger = Ledger(sys.argv[1])\n"
        "while True:\n"
        "    ledger.record(1.0, 0.1)\n"
        "    print(ledger.updates, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True
    )
    acknowledged = [int(process.stdout.readline()) for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.communicate()[0].split("\n")[:-1]]
    counted = Ledger.load(path).updates
    # The last update may be counted without its acknowledgement having been printed.
    assert acknowledged[-1] <= counted <= acknowledged[-1] + 1


def test_a_crash_while_writing_leaves_the_last_count(tmp_path, monkeypatch):
    path = tmp_path / "ledger.json"
    ledger = Ledger(path)
    ledger.record(1.0, 0.1, 3)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"cannot be written: No space left on device\."):
            ledger.record(1.0, 0.1)
    assert ledger.updates == Ledger.load(path).updates == 3
    ledger.record(1.0, 0.1)
    assert Ledger.load(path).updates == 4


def test_a_second_writer_is_refused_and_lowers_no_count(tmp_path):
    path = tmp_path / "ledger.json"
    first = Ledger(path)
    second = Ledger.load(path)
    first.record(1.0, 0.1, 10)
    with pytest.raises(InputError, match="Another process wrote to the ledger .* stop one"):
        second.record(1.0, 0.1)
    assert Ledger.load(path).updates == 10


def test_a_ledger_is_not_started_over_an_existing_one(tmp_path):
    path = tmp_path / "ledger.json"
    Ledger(path).record(1.0, 0.1, 10)
    with pytest.raises(InputError, match="exists already; resume that run"):
        Ledger(path)
    assert Ledger.load(path).updates == 10


def test_no_byte_can_be_changed_unnoticed(tmp_path):
    path = tmp_path / "ledger.json"
    ledger = Ledger(path)
    ledger.record(0.845, 0.02048, 1464)
    intact = path.read_bytes()
    generator = random.Random(1)
    for position in range(len(intact)):
        altered = bytearray(intact)
        altered[position] ^= generator.randint(1, 255)
        path.write_bytes(altered)
        with pytest.raises(InputError, match="not an intact ledger of tfdpzoo"):
            Ledger.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b'{"format": "tfdpzoo ledger 1", "segments": [], "sha256": ""}',
        b"[" * 100_000,
    ],
)
def test_foreign_files_are_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "ledger.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not an intact ledger .* is not known from it\.$"):
        Ledger.load(path)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        Ledger.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        Ledger(tmp_path / "none" / "ledger.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 0.1, 1), "noise multiplier must be a finite number of 0 or more, not -1.0"),
        ((float("nan"), 0.1, 1), "noise multiplier must be .* not nan"),
        ((float("inf"), 0.1, 1), "noise multiplier must be .* not inf"),
        ((1.0, 0.0, 1), "sampling rate must be above 0 and at most 1, not 0.0"),
        ((1.0, 1.5, 1), "sampling rate must be above 0 and at most 1, not 1.5"),
        ((1.0, 0.1, 0), "updates must be a whole number of at least 1, not 0"),
        ((1.0, 0.1, -3), "updates must be a whole number of at least 1, not -3"),
    ],
)
def test_impossible_updates_are_refused_and_not_counted(arguments, message):
    ledger = Ledger()
    with pytest.raises(InputError, match=message):
        ledger.record(*arguments)
    assert ledger.segments == ()


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_the_event_does_not_depend_on_how_updates_were_recorded(counts):
    ledger = Ledger()
    for count in counts:
        ledger.record(1.5, 0.05, count)
    at_once = Ledger()
    at_once.record(1.5, 0.05, sum(counts))
    assert ledger.dp_event() == at_once.dp_event()


def test_an_empty_ledger_costs_nothing():
    event = Ledger().dp_event()
    assert pld.PLDAccountant().compose(event).get_epsilon(1e-5) == 0
    assert rdp.RdpAccountant().compose(event).get_epsilon(1e-5) == 0
