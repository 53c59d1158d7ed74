"""What is asked for of a search: refused before anything is made, kept, and gone on with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfdpzoo.cli.search_oracle import oracle_of, trials_of
from tfdpzoo.cli.search_order import SearchOrder
from tfdpzoo.errors import InputError
from tfdpzoo.tuning.halving import HalvingSchedule
from tfdpzoo.tuning.search_plan import SearchBudget
from tfdpzoo.zoo import catalog

Refused = Callable[..., str]

ORDER = SearchOrder(
    model="smoothnet",
    recipe=catalog.recipe("smoothnet", "digits"),
    mode="random",
    trials=5.0,
    law=None,
    shape=None,
    oracle=None,
    held_out=0.1,
    space=None,
    keep_trials=False,
    parallel=1,
    data_dir=None,
    memory_limit=None,
    engine="fast",
    initialization_seed=None,
    insecure_seed=None,
    destination=Path("saved_models/digits/1"),
    record=None,
    alias=None,
    as_json=False,
    command="tfdpzoo tune smoothnet",
)
ADAPTIVE = dataclasses.replace(ORDER, mode="adaptive")
TUNE = ("tune", "smoothnet", "--recipe", "digits", "--epsilon", "7")


@pytest.mark.parametrize(
    ("order", "changes", "sentence"),
    [
        (ORDER, {"held_out": 0.0}, "held-out share of the training examples must be above 0"),
        (ADAPTIVE, {"held_out": float("nan")}, "must be above 0 and below 1, not nan"),
        (ORDER, {"trials": 1.0}, "mean number of trials must be from 1.01 to 10,000, not 1.0"),
        (ORDER, {"trials": float("nan")}, "mean number of trials must be from 1.01"),
        (ORDER, {"law": "geometric", "shape": 0.5}, "law needs a shape, such as 0.5, and no other"),
        (ORDER, {"shape": 0.5}, "law needs a shape, such as 0.5, and no other"),
        (
            ORDER,
            {"law": "truncated-negative-binomial", "shape": 1000.0},
            "The shape of the law must be from 0.01 to 100, not 1000.0",
        ),
        (ORDER, {"oracle": "bayesian"}, "--oracle bayesian chooses settings in view of earlier"),
        (ORDER, {"oracle": "hyperband"}, "--oracle hyperband chooses settings in view of earlier"),
        (ORDER, {"oracle": "grid"}, "--oracle grid chooses settings in view of earlier trials"),
        (ORDER, {"keep_trials": True}, "--keep-trials needs --mode adaptive"),
        (ADAPTIVE, {"law": "poisson"}, "--law belongs to --mode random: in the adaptive mode"),
        (ADAPTIVE, {"shape": 0.5}, "--shape belongs to --mode random: in the adaptive mode"),
        (ADAPTIVE, {"trials": 2.5}, "--trials is 2.5; in the adaptive mode it is a whole number"),
        (ADAPTIVE, {"trials": 0.0}, "--trials is 0; in the adaptive mode it is a whole number"),
        (ADAPTIVE, {"trials": -3.0}, "--trials is -3; in the adaptive mode it is a whole number"),
        (ADAPTIVE, {"trials": float("inf")}, "--trials is inf; in the adaptive mode it is a whole"),
    ],
)
def test_what_does_not_go_together_is_refused(
    order: SearchOrder, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        dataclasses.replace(order, **changes).check()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        dataclasses.replace(ORDER, trials=2.5, oracle="random"),
        dataclasses.replace(ORDER, law="truncated-negative-binomial"),
        dataclasses.replace(ORDER, law="truncated-negative-binomial", shape=0.2),
        dataclasses.replace(ORDER, law="poisson"),
        ADAPTIVE,
        dataclasses.replace(ADAPTIVE, trials=1.0, keep_trials=True),
        *(
            dataclasses.replace(ADAPTIVE, oracle=name)
            for name in ("random", "bayesian", "hyperband", "grid")
        ),
    ],
)
def test_what_goes_together_is_taken(order: SearchOrder) -> None:
    order.check()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "mode": "adaptive",
            "oracle": "grid",
            "keep_trials": True,
            "data_dir": Path("/data"),
            "memory_limit": 10**9,
            "record": Path("/results.csv"),
            "initialization_seed": 3,
            "insecure_seed": 4,
            "alias": "champion",
            "space": "/spaces/mine.py:space",
        },
        {"law": "truncated-negative-binomial", "shape": 0.25, "trials": 2.5},
    ],
)
def test_an_order_survives_its_file(tmp_path: Path, changes: dict[str, Any]) -> None:
    order = dataclasses.replace(ORDER, destination=Path("/models/1"), **changes)

    order.write(tmp_path)

    assert SearchOrder.read(tmp_path) == order


def test_places_are_kept_for_whoever_goes_on_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataclasses.replace(ORDER, record=Path("results.csv")).write(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    order = SearchOrder.read(tmp_path)

    assert order.destination == tmp_path / "saved_models/digits/1"
    assert order.record == tmp_path / "results.csv"
    assert order.data_dir is None


def _without(fields: dict[str, Any]) -> None:
    del fields["recipe"]


def _with_another(fields: dict[str, Any]) -> None:
    fields["other"] = 1


def _with_no_recipe(fields: dict[str, Any]) -> None:
    fields["recipe"] = 5


def _with_half_a_recipe(fields: dict[str, Any]) -> None:
    fields["recipe"] = fields["recipe"][:40]


def _with_a_number_as_place(fields: dict[str, Any]) -> None:
    fields["destination"] = 5


@pytest.mark.parametrize(
    "damage",
    [_without, _with_another, _with_no_recipe, _with_half_a_recipe, _with_a_number_as_place],
)
def test_a_file_that_was_altered_is_refused(tmp_path: Path, damage: Callable[..., None]) -> None:
    ORDER.write(tmp_path)
    path = tmp_path / "asked-for.json"
    fields = json.loads(path.read_text())
    damage(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match=r"asked-for\.json is damaged or was altered; put back"):
        SearchOrder.read(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"3", b"null", b"\xff\xfe"])
def test_a_file_that_is_damaged_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "asked-for.json").write_bytes(text)
    with pytest.raises(InputError, match=r"asked-for\.json is damaged or was altered; put back"):
        SearchOrder.read(tmp_path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not the folder of a search that can go on: it has"):
        SearchOrder.read(tmp_path)
    (tmp_path / "asked-for.json").mkdir()
    with pytest.raises(InputError, match=r"asked-for\.json cannot be read: Is a directory"):
        SearchOrder.read(tmp_path)


def test_going_on_takes_what_is_typed_and_keeps_the_rest() -> None:
    begun = dataclasses.replace(
        ORDER, data_dir=Path("/old"), memory_limit=5, record=Path("/old.csv"), alias="first"
    )

    same = begun.going_on(
        data_dir=None,
        memory_limit=None,
        record=None,
        alias=None,
        as_json=True,
        parallel=2,
        command="tfdpzoo tune --resume it",
    )
    other = begun.going_on(
        data_dir=Path("/new"),
        memory_limit=6,
        record=Path("/new.csv"),
        alias="second",
        as_json=False,
        parallel=1,
        command="again",
    )

    assert same == dataclasses.replace(
        begun,
        as_json=True,
        parallel=2,
        command="tfdpzoo tune smoothnet; tfdpzoo tune --resume it",
    )
    assert other == dataclasses.replace(
        begun,
        data_dir=Path("/new"),
        memory_limit=6,
        record=Path("/new.csv"),
        alias="second",
        command="tfdpzoo tune smoothnet; again",
    )


@pytest.mark.parametrize(
    ("oracle", "asked", "size", "trials"),
    [
        (None, 7, None, 7),
        ("random", 7, 3, 7),
        ("bayesian", 7, 3, 7),
        ("grid", 7, 12, 7),
        ("grid", 20, 12, 12),
        ("hyperband", 6, None, 6),
        ("hyperband", 22, None, 6),
        ("hyperband", 23, None, 23),
    ],
)
def test_how_many_trials_an_oracle_runs(
    oracle: str | None, asked: int, size: int | None, trials: int
) -> None:
    assert trials_of(oracle, asked, size) == trials


def test_oracles_that_cannot_run_so_few_or_ever_end_are_refused() -> None:
    with pytest.raises(
        InputError, match="hyperband runs at least 6 trials, not 5; give --trials 6"
    ):
        trials_of("hyperband", 5, None)
    with pytest.raises(InputError, match="grid needs a space with an end: give each setting in"):
        trials_of("grid", 5, None)


@pytest.mark.parametrize(
    ("oracle", "kind"),
    [
        ("random", "RandomSearchOracle"),
        ("bayesian", "BayesianOptimizationOracle"),
        ("grid", "GridSearchOracle"),
        ("hyperband", "HyperbandOracle"),
    ],
)
def test_the_oracle_is_the_one_that_was_asked_for(oracle: str, kind: str) -> None:
    order = dataclasses.replace(ADAPTIVE, oracle=oracle, trials=10.0)
    trials = trials_of(oracle, 10, 40)

    made = oracle_of(order, SearchBudget(7.0, 1e-4, trials=trials))

    assert type(made).__name__ == kind
    if oracle == "hyperband":
        assert HalvingSchedule.of(made).trials == trials
    else:
        assert made.max_trials == trials


def test_the_default_oracle_is_that_of_the_tuner() -> None:
    budget = SearchBudget(7.0, 1e-4, trials=5)
    assert oracle_of(ADAPTIVE, budget) is None
    assert oracle_of(dataclasses.replace(ORDER, oracle="random"), budget) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tune", "--epsilon", "7"), "Give the model to search with, for example smoothnet, or"),
        (("tune", "smoothnet", "--recipe", "digits"), "Give --epsilon, the privacy loss that the"),
        (("tune", "smothnet", "--epsilon", "7"), "did you mean 'smoothnet'"),
        ((*TUNE, "--objective", "accuracy"), "accuracy is computed on the training examples"),
        ((*TUNE, "--objective", "val_accuracy"), "val_accuracy is computed on examples that the"),
        ((*TUNE, "--oracle", "bayesian"), "--oracle bayesian chooses settings in view of earlier"),
        ((*TUNE, "--keep-trials"), "--keep-trials needs --mode adaptive"),
        ((*TUNE, "--mode", "adaptive", "--law", "poisson"), "--law belongs to --mode random"),
        ((*TUNE, "--mode", "adaptive", "--shape", "0.5"), "--shape belongs to --mode random"),
        ((*TUNE, "--mode", "adaptive", "--trials", "2.5"), "--trials is 2.5; in the adaptive mode"),
        ((*TUNE, "--mode", "adaptive", "--trials", "nan"), "--trials is nan; in the adaptive mode"),
        ((*TUNE, "--trials", "1"), "mean number of trials must be from 1.01 to 10,000, not 1.0"),
        ((*TUNE, "--held-out", "1"), "must be above 0 and below 1, not 1.0"),
        ((*TUNE, "--held-out", "nan"), "must be above 0 and below 1, not nan"),
        ((*TUNE, "--parallel", "0"), "'--parallel': 0 is not in the range"),
        ((*TUNE, "--set", "epsilon=3"), "epsilon"),
        ((*TUNE, "--delta", "2"), "privacy.delta must be above 0 and below 1, got 2.0."),
        ((*TUNE, "--alias", "not a name"), "not a name"),
        ((*TUNE, "--memory-limit", "much"), "much"),
        (
            ("tune", "smoothnet", "--recipe", "paper", "--epsilon", "7"),
            "The recipe paper does not say what to search; give it a table [tune]",
        ),
        ((*TUNE, "--space", "missing.py:space"), "missing.py"),
        ((*TUNE, "--space", "space"), "--space space names no function of a file; write"),
        (
            (*TUNE, "--mode", "adaptive", "--oracle", "grid"),
            "--oracle grid needs a space with an end",
        ),
        (
            (*TUNE, "--mode", "adaptive", "--oracle", "hyperband", "--trials", "3"),
            "--oracle hyperband runs at least 6 trials, not 3; give --trials 6",
        ),
    ],
)
def test_searches_that_cannot_begin_leave_nothing(
    refused: Refused, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused(*arguments)


@pytest.mark.parametrize(
    ("code", "name", "sentence"),
    [
        ("def other(hp):\n    return {}\n", "space", "no function in"),
        ("", "space", "has no function space, or any other"),
        ("def space(hp:\n", "space", "cannot be run: "),
        ("def space(hp):\n    return 3\n", "space", "mine.py:space returned 3; it must return"),
        (
            "def space(hp):\n    raise OSError('no')\n",
            "space",
            "mine.py:space failed: OSError: no.",
        ),
        (
            "def space(hp):\n    return {'clip': hp.Choice('c', [1, 2])}\n",
            "space",
            "There is no recipe key named 'clip'",
        ),
        (
            "def space(hp):\n    return {'privacy.clip_norm': 1.0}\n",
            "space",
            "mine.py:space declares nothing that varies",
        ),
    ],
)
def test_functions_that_are_no_space_are_refused(
    refused: Refused, tmp_path: Path, code: str, name: str, sentence: str
) -> None:
    (tmp_path / "mine.py").write_text(code)
    assert sentence in refused(*TUNE, "--space", f"mine.py:{name}")


def test_places_that_cannot_be_written_are_refused_before_anything_runs(
    refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert "searches" in refused(*TUNE, "--searches", "file/searches")
    assert "file" in refused(*TUNE, "--out", "file/model")
    assert "file" in refused(*TUNE, "--record", "file/results.csv")


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        (("--epsilon", "7"), "--epsilon"),
        (("--trials", "10"), "--trials"),
        (("--mode", "adaptive"), "--mode"),
        (("--law", "poisson"), "--law"),
        (("--oracle", "grid"), "--oracle"),
        (("--held-out", "0.2"), "--held-out"),
        (("--objective", "held_out_accuracy"), "--objective"),
        (("--space", "mine.py:space"), "--space"),
        (("--keep-trials",), "--keep-trials"),
        (("--set", "width=2"), "--set"),
        (("--out", "elsewhere"), "--out"),
        (("--searches", "elsewhere"), "--searches"),
        (("--insecure-seed", "1"), "--insecure-seed"),
        (("smoothnet",), "MODEL"),
    ],
)
def test_a_search_goes_on_as_it_began(
    refused: Refused, tmp_path: Path, option: tuple[str, ...], shown: str
) -> None:
    ORDER.write(tmp_path)
    sentence = refused("tune", *option, "--resume", ".")
    assert sentence == f"{shown} cannot be given with --resume: a search goes on as it began."


def test_what_is_no_search_or_has_ended_does_not_go_on(refused: Refused, tmp_path: Path) -> None:
    assert refused("tune", "--resume", "nowhere").startswith(
        "nowhere is not the folder of a search that can go on: it has no asked-for.json."
    )
    ORDER.write(tmp_path)
    (tmp_path / "released.txt").write_text("saved_models/digits/1")
    assert refused("tune", "--resume", ".") == (
        "The search has ended; its model is saved_models/digits/1."
    )
    (tmp_path / "asked-for.json").write_text("{}")
    assert "asked-for.json is damaged or was altered" in refused("tune", "--resume", ".")
