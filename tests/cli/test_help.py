"""Help texts: every command has examples that can be typed, and every exit code is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from command_lines import lines_of, parse

from tfdpzoo.cli import exits
from tfdpzoo.cli.main import commands

Program = Callable[..., Any]


def every_command(
    command: click.Command = commands, path: str = "tfdpzoo"
) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from every_command(inner, f"{path} {name}")


COMMANDS = dict(every_command())


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_examples_of_itself_that_parse(path: str) -> None:
    lines = list(lines_of(COMMANDS[path].epilog or ""))

    assert lines, f"`{path} --help` ends without an example"
    assert any(line.startswith(path) for line in lines)
    for line in lines:
        parse(line)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_explained(path: str) -> None:
    command = COMMANDS[path]

    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts[0]}"


@pytest.mark.parametrize(
    "line",
    [
        "tfdpzoo biuld",
        "tfdpzoo list --jsn",
        "tfdpzoo train smoothnet --engine slow",
        "tfdpzoo verify",
        "tfdpzoo verify one two",
    ],
)
def test_an_example_that_cannot_be_typed_would_be_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line)


def test_command_lines_are_found_in_text() -> None:
    text = "  tfdpzoo plan --epsilon 1 \\\n    --delta 1e-5  # cheap\nA=1 tfdpzoo list > models\n"
    assert [line.split() for line in lines_of(text)] == [
        ["tfdpzoo", "plan", "--epsilon", "1", "--delta", "1e-5"],
        ["tfdpzoo", "list"],
    ]


def test_every_exit_code_is_documented(program: Program) -> None:
    public = {name: value for name, value in vars(exits).items() if not name.startswith("_")}
    codes = {value for name, value in public.items() if name.isupper() and type(value) is int}
    help_text = program("--help").out

    assert codes >= {0, 1, 2, 70, 130}
    for code in codes | {143}:
        assert f"\n    {code} " in help_text


def test_windows_is_told_where_it_works(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")

    outcome = program("list")

    assert outcome.code == 2
    assert outcome.err == (
        "Error: tfdpzoo does not run on Windows itself; install WSL 2 (`wsl --install`) and use it "
        "in there.\n"
    )
