"""What is written of an architecture: the introduction and the limits in a zoo's CARD.md."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
_LIMITS = "limits"


@dataclass(frozen=True)
class ArchitectureNotes:
    """Parts of an architecture's own card, in Markdown.

    Attributes:
        title: What the architecture is called.
        introduction: What it is and where it was published.
        limits: What it cannot do; empty where its card does not say.
    """

    title: str
    introduction: str
    limits: str

    @classmethod
    def parse(cls, markdown: str) -> ArchitectureNotes:
        r"""Reads a card: its title, what stands before the first section, the section "Limits".

        Args:
            markdown: The card.

        Example:
            >>> ArchitectureNotes.parse("# Net\n\nSmall.\n\n## Limits\n\n- Slow.").limits
            '- Slow.'
        """
        headings = list(_HEADING.finditer(markdown))
        ends = [heading.start() for heading in headings[1:]] + [len(markdown)]
        sections = [
            (heading[2], markdown[heading.end() : end].strip())
            for heading, end in zip(headings, ends, strict=False)
        ]
        if not sections:
            return cls("", markdown.strip(), "")
        limits = next((text for name, text in sections[1:] if name.lower() == _LIMITS), "")
        return cls(*sections[0], limits)
