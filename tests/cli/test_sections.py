"""The help of the program names every command once, in a section, with its whole first sentence."""

from __future__ import annotations

import re

from tfdpzoo.cli.main import commands


def test_every_command_is_in_one_section(program) -> None:
    text = program("--help").out.split("\n  Examples:")[0]
    sections = text.split("\nTraining:\n")[1]

    listed = re.findall(r"^  (\S+)  ", sections, re.MULTILINE)
    assert sorted(listed) == sorted(commands.commands)
    assert "Commands:" not in text
    assert "..." not in sections
