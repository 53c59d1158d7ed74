"""The help of the program, with its commands in sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

_WHOLE_SENTENCE = 1000
"""Click would cut the first sentence of a command's help at the end of the line."""


class SectionedGroup(click.Group):
    """A group of commands whose help lists them in sections, in the order in which they are used.

    Args:
        sections: The commands of each section.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[click.Command]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._sections = sections
        for commands in sections.values():
            for command in commands:
                self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the sections; called by Click."""
        width = max(len(name) for name in self.commands)
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (str(each.name).ljust(width), each.get_short_help_str(_WHOLE_SENTENCE))
                        for each in commands
                    ]
                )
