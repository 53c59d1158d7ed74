from __future__ import annotations

import csv
import dataclasses
import multiprocessing
from pathlib import Path
from types import SimpleNamespace

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.results import COLUMNS, ResultRow, append_result, check_results

ROW = ResultRow(
    model="smoothnet",
    recipe="digits",
    dataset="digits",
    epsilon="6.991",
    delta="0.0001",
    accuracy="0.9753",
    parameters="306810",
    updates="279",
    seconds="21.5",
    hardware="Some processor, 2 logical cores",
    versions="tfdpzoo 0.1.0, keras 3.15.1",
    seed_class="secret entropy; initialisation seed 0",
    guarantee="valid",
    commit="0123abc",
    command='tfdpzoo train smoothnet --dataset "my images"',
    date="2026-01-01T00:00:00+00:00",
)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


def test_rows_read_back_with_one_head(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    second = dataclasses.replace(ROW, recipe="mnist")

    append_result(path, ROW)
    append_result(path, second)

    assert _read(path) == [dataclasses.asdict(ROW), dataclasses.asdict(second)]
    assert path.read_text().count("model,recipe") == 1
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)


def test_an_existing_row_is_never_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    append_result(path, ROW)
    before = path.read_bytes()

    append_result(path, ROW)

    assert path.read_bytes().startswith(before)


def _append_many(path: Path, name: str) -> None:
    for _ in range(20):
        append_result(path, dataclasses.replace(ROW, command=name * 2000))


def test_processes_that_append_together_do_not_mix_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_append_many, args=(path, name)) for name in "abc"]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    rows = _read(path)
    assert len(rows) == 60
    assert all(len({*row["command"]}) == 1 for row in rows)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n1,2\n", "is no table of results: its first line must be model,recipe,"),
        (",".join(COLUMNS) + "\nsmoothnet,dig", "The last line of .* is cut off"),
    ],
)
def test_another_file_is_not_touched(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "results.csv"
    path.write_text(content)

    for act in (check_results, lambda path: append_result(path, ROW)):
        with pytest.raises(InputError, match=reason):
            act(path)

    assert path.read_text() == content


def test_checking_makes_no_file(tmp_path: Path) -> None:
    check_results(tmp_path / "results.csv")

    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_found_by_checking(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder that can be written to"):
        check_results(tmp_path / "missing" / "results.csv")


def test_a_folder_cannot_be_appended_to(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be recorded in .*Is a directory"):
        append_result(tmp_path, ROW)


@pytest.mark.parametrize("guarantee", ["invalid: known seed", "none: trained without privacy", ""])
def test_an_epsilon_without_a_valid_guarantee_is_refused(guarantee: str) -> None:
    with pytest.raises(InputError, match="must not state an epsilon"):
        dataclasses.replace(ROW, guarantee=guarantee)

    assert dataclasses.replace(ROW, guarantee=guarantee, epsilon="", delta="").epsilon == ""


def test_a_valid_guarantee_without_its_epsilon_is_refused() -> None:
    with pytest.raises(InputError, match="must state its epsilon"):
        dataclasses.replace(ROW, epsilon="")


def _row_of(guarantee: PrivacyGuarantee | None) -> ResultRow:
    recipe = SimpleNamespace(model="smoothnet", name="digits")
    job = SimpleNamespace(
        recipe=recipe,
        dataset=SimpleNamespace(name="digits"),
        model=SimpleNamespace(count_params=lambda: 100),
    )
    result = SimpleNamespace(accuracy=0.97531, updates=100, seconds=12.34, guarantee=guarantee)
    return ResultRow.of_run(job, result, seed_class="secret entropy", command="tfdpzoo train")  # type: ignore[arg-type]


def _guarantee(**changed: object) -> PrivacyGuarantee:
    settings = {
        "segments": [Segment(1.0, 0.02, 100)],
        "delta": 1e-5,
        "clip_norm": 1.0,
        "examples": 50_000,
        "expected_batch": 1000,
        "planned_updates": 100,
        "target_epsilon": 2.0,
    }
    return PrivacyGuarantee.state(**{**settings, **changed})  # type: ignore[arg-type]


def test_a_row_states_the_epsilon_that_was_spent_rounded_up() -> None:
    guarantee = _guarantee()

    row = _row_of(guarantee)

    assert guarantee.epsilon <= float(row.epsilon) < guarantee.epsilon + 1e-3
    assert (row.delta, row.accuracy, row.seconds) == ("1e-05", "0.9753", "12.3")
    assert row.guarantee == "valid"
    assert row.date == guarantee.provenance.date
    assert "tensorflow 2." in row.versions


def test_an_invalid_guarantee_is_recorded_as_what_it_is() -> None:
    row = _row_of(_guarantee(weaknesses=["a known seed"]))

    assert row.guarantee == "invalid: a known seed"
    assert row.epsilon == row.delta == ""


def test_a_run_without_privacy_is_recorded_as_what_it_is() -> None:
    row = _row_of(None)

    assert row.guarantee == "none: trained without privacy"
    assert row.epsilon == row.delta == ""
    assert row.hardware
