from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from tfdpzoo.cli import training_display
from tfdpzoo.cli.training_display import TrainingDisplay
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.metrics_log import EpochRow

PLAN = PrivacyPlan.from_noise_multiplier(
    noise_multiplier=1.0, delta=1e-4, examples=1000, batch_size=100, updates=20
)
ROW = EpochRow(
    epoch=1,
    updates=10,
    epsilon=1.5,
    training_loss=2.0,
    training_accuracy=0.25,
    test_loss=1.0,
    test_accuracy=0.5,
    learning_rate=0.1,
    seconds=75.0,
    examples_per_second=1234.0,
)


def _shown(*, terminal: bool, private: bool = True) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=140, highlight=False)
    job = SimpleNamespace(plan=PLAN, epochs=2)
    display = TrainingDisplay(console, job, private=private, on_estimate=lambda _: None)
    with display:
        display.on_train_begin()
        display.on_epoch_begin(0)
        for batch in range(10):
            display.on_train_batch_end(batch)
        display._progress.refresh()
        display.show_epoch(ROW)
        display.on_train_end()
    return file.getvalue()


def test_on_a_terminal_a_bar_shows_updates_and_epsilon() -> None:
    shown = _shown(terminal=True)

    assert "\x1b" in shown
    assert "epoch 1/2" in shown
    assert "/20 updates" in shown
    assert f"of {PLAN.epsilon:g}" in shown
    assert "examples/s" in shown
    assert "left" in shown


def test_elsewhere_there_are_lines_alone() -> None:
    shown = _shown(terminal=False)

    head, line = shown.strip().splitlines()[-2:]
    assert head.split()[:3] == ["epoch", "updates", "epsilon"]
    assert line.split() == ["1", "10", "1.50", "50.00%", "25.00%", "1,234", "1:15"]
    assert "\x1b" not in shown
    # The columns are aligned on the right.
    assert line.index("10") + 2 == head.index("updates") + len("updates")


def test_what_is_not_private_is_marked() -> None:
    shown = _shown(terminal=False)

    assert "* on training examples: not differentially private, not for publication" in shown
    assert "training*" in shown


def test_lines_fit_into_eighty_columns() -> None:
    table = _shown(terminal=False).strip().splitlines()[-2:]

    assert max(map(len, table)) <= 80


def test_elsewhere_a_long_epoch_says_now_and_then_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_display, "_SECONDS_BETWEEN_LINES", 0.0)

    shown = _shown(terminal=False)

    assert "10 of 20 updates  epsilon " in shown


def test_without_privacy_no_epsilon_is_shown() -> None:
    assert "of 20 updates" not in _shown(terminal=False, private=False)
    assert "epsilon 0" not in _shown(terminal=True, private=False)


def test_the_estimate_is_said_once() -> None:
    said: list[float] = []
    console = Console(file=io.StringIO(), width=140)
    job = SimpleNamespace(plan=PLAN, epochs=2)
    display = TrainingDisplay(console, job, private=False, on_estimate=said.append)
    display.on_train_begin()
    display._pace = SimpleNamespace(
        count=lambda: None,
        done=1,
        updates=20,
        total_seconds=60.0,
        seconds_per_update=1.0,
        remaining_seconds=59.0,
    )

    display.on_train_batch_end(0)
    display.on_train_batch_end(1)

    assert said == [60.0]
