"""A privacy record as `tfdpzoo guarantee` shows it."""

from __future__ import annotations

from searches import LAWS, adaptive_search, random_search, record_of
from stand_in import guarantee_with

from tfdpzoo.cli.guarantee_facts import guarantee_rows
from tfdpzoo.privacy.statement import round_up


def test_the_run_alone() -> None:
    rows = dict(guarantee_rows(guarantee_with()))
    assert rows["by PLD"] == "epsilon 2.39"
    assert "by RDP" in rows
    assert "search" not in rows


def test_a_random_search() -> None:
    search = random_search(law=LAWS[2])
    rows = dict(guarantee_rows(record_of(search)))
    assert rows["search"] == "random"
    assert rows["trials"] == (
        "a secret number, from the truncated negative binomial law with mean 10 and shape 0.5"
    )
    assert rows["one trial"] == f"epsilon {round_up(search.trial_epsilon)}"
    assert rows["all in all"] == rows["the whole search by RDP"]
    assert rows["this run by PLD"] == "epsilon 2.39"


def test_an_adaptive_search() -> None:
    rows = dict(guarantee_rows(record_of(adaptive_search())))
    assert (rows["search"], rows["trials"]) == ("adaptive", "5")
    assert rows["all in all"] == rows["the whole search by PLD"]
    assert rows["weights"] == "not named"
