"""Command lines as they stand in help texts and pages: found, and parsed without being run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from tfdpzoo.cli.main import commands

_FENCED = re.compile(r"^( *)```+(?:sh|console|bash)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_REST = re.compile(r"\s(?:#|[|;&]|\d?>).*$")


def lines_of_page(markdown: str) -> Iterator[str]:
    """Yields the command lines in the fenced blocks of a page."""
    for block in _FENCED.finditer(markdown):
        yield from lines_of(block[2])


def lines_of(text: str) -> Iterator[str]:
    """Yields the lines of a text that call the program, without prompts and what follows it."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.match(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(tfdpzoo( .*)?)$", line)
        if found and "..." not in line:
            yield _REST.sub("", found[1])


def parse(line: str) -> None:
    """Parses a command line as the program would.

    A path need not exist; a word of capital letters stands for something to fill in.

    Raises:
        click.UsageError: There is no such command, option or choice, or something is missing.
    """
    command: click.Command = commands
    context = click.Context(commands, info_name="tfdpzoo")
    arguments = shlex.split(line)[1:]
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
        if re.fullmatch(r"[A-Z]+", name):
            return
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"{line}: there is no command {name}")
        command = found
    try:
        command.make_context(command.name, arguments, parent=context)
    except click.exceptions.Exit:
        return
    except click.MissingParameter:
        raise
    except click.BadParameter as error:
        if not isinstance(error.param, click.Parameter) or not isinstance(
            error.param.type, click.Path
        ):
            raise
