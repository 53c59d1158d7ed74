"""Writes the reference of the command line from the commands themselves.

A page has `<!-- commands -->` where they go and `<!-- exit codes -->` for how the program ends.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from tfdpzoo.cli import exits
from tfdpzoo.cli.main import commands

_COMMANDS = "<!-- commands -->"
_EXIT_CODES = "<!-- exit codes -->"
_PROGRAM = "tfdpzoo"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts commands and exit codes in their places."""
    if _COMMANDS in markdown:
        context = click.Context(commands, info_name=_PROGRAM)
        markdown = markdown.replace(_COMMANDS, "\n\n".join(_group(commands, context, level=2)))
    return markdown.replace(_EXIT_CODES, _exit_codes())


def _exit_codes() -> str:
    # What does not fit into a line goes on below it.
    text = re.sub(r"\n {4,}", " ", exits.DOCUMENTATION)
    rows = re.findall(r"^ +(\d+) +(.*)$", text, re.MULTILINE)
    return "\n".join(
        ["| code | |", "| --- | --- |", *(f"| {code} | {text} |" for code, text in rows)]
    )


def _group(group: click.Group, parent: click.Context, level: int) -> Iterator[str]:
    for name in group.list_commands(parent):
        command = group.commands[name]
        if command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=parent)
        yield from _command(command, context, level)
        if isinstance(command, click.Group):
            yield from _group(command, context, level + 1)


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    path = context.command_path
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"{'#' * level} {path} {{ #{path.replace(' ', '-')} }}"
    yield _prose(command.help or "")
    yield f"```text\n{path} {usage}\n```"
    rows = [_row(option) for option in command.params if isinstance(option, click.Option)]
    if rows:
        yield "\n".join(["| option | |", "| --- | --- |", *rows])
    yield from _epilog(command.epilog or "")


def _row(option: click.Option) -> str:
    names = ", ".join((*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" {_value(option)}"
    text = option.help or ""
    if option.show_default and not option.is_flag and option.default is not None:
        text += f" [default: {option.default}]"
    return f"| <code>{_cell(names + value)}</code> | {_cell(text)} |"


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar or option.type.name.upper()


def _cell(text: str) -> str:
    """Text in a table, in which nothing is Markdown or HTML."""
    escaped = html.escape(" ".join(text.split()))
    return re.sub(r"[|*_`\\]", lambda found: f"&#{ord(found[0])};", escaped)


def _prose(text: str) -> str:
    """The help text, of which Click shows nothing behind a form feed."""
    return inspect.cleandoc(text).split("\f")[0].replace("\b\n", "")


def _epilog(text: str) -> Iterator[str]:
    """Examples as they are typed; other paragraphs as lines."""
    for paragraph in re.split(r"\n\s*\n", text.replace("\b", "").strip("\n")):
        title, *lines = paragraph.strip("\n").splitlines() or [""]
        if lines:
            block = inspect.cleandoc("\n".join(lines))
            yield f"{title}\n\n```sh\n{block}\n```"
