from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.run_folder import RunFolder, check_runs
from tfdpzoo.zoo import catalog


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return catalog.recipe("smoothnet", "digits", overrides={"privacy.epsilon": "3"})


def test_a_run_keeps_its_recipe(tmp_path: Path, recipe: Recipe) -> None:
    folder = RunFolder.create(tmp_path / "runs", recipe)

    assert Recipe.from_toml(folder.recipe) == recipe
    assert folder.path.name.startswith("smoothnet-digits-")


def test_a_run_is_its_owners_alone(tmp_path: Path, recipe: Recipe) -> None:
    folder = RunFolder.create(tmp_path, recipe)

    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_runs_of_the_same_second_do_not_share_a_folder(tmp_path: Path, recipe: Recipe) -> None:
    assert len({RunFolder.create(tmp_path, recipe).path for _ in range(3)}) == 3


def test_a_run_that_never_started_leaves_nothing(tmp_path: Path, recipe: Recipe) -> None:
    with (
        pytest.raises(InputError, match="mixes examples"),
        RunFolder.kept_once_started(tmp_path / "all" / "runs", recipe),
    ):
        raise InputError("The model mixes examples.")

    assert not list(tmp_path.iterdir())


def test_a_run_that_never_started_leaves_other_runs(tmp_path: Path, recipe: Recipe) -> None:
    other = RunFolder.create(tmp_path / "runs", recipe)

    with (
        pytest.raises(KeyboardInterrupt),
        RunFolder.kept_once_started(tmp_path / "runs", recipe),
    ):
        raise KeyboardInterrupt

    assert [*(tmp_path / "runs").iterdir()] == [other.path]


def test_a_run_that_started_stays(tmp_path: Path, recipe: Recipe) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        RunFolder.kept_once_started(tmp_path, recipe) as folder,
    ):
        folder.metrics.touch()
        raise KeyboardInterrupt

    assert folder.recipe.is_file()


def test_a_place_where_no_folder_can_be_made_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "file").touch()
    parent = tmp_path / "file" / "runs"

    with pytest.raises(InputError, match=r"cannot be made in .*file/runs; give another one"):
        check_runs(parent)
    with pytest.raises(InputError, match=r"cannot be made in .*file/runs .*--runs"):
        RunFolder.create(parent, recipe)


def test_checking_a_place_makes_nothing(tmp_path: Path) -> None:
    check_runs(tmp_path / "new" / "runs")

    assert not list(tmp_path.iterdir())
