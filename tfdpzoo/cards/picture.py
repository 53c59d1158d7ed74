"""A picture of a card."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tfdpzoo.cards.theme import standing_alone


@dataclass(frozen=True)
class Picture:
    """A picture in SVG, which follows the page's colours.

    Attributes:
        name: What it is called where it is a file, without the ending.
        svg: The picture.
        text: What it shows, for those who cannot see it.
    """

    name: str
    svg: str
    text: str

    @property
    def inline(self) -> Markup:
        """The picture for a page of HTML. Its texts were escaped when it was drawn."""
        return Markup(self.svg)

    @property
    def file(self) -> str:
        """The picture for a file of its own, in light colours."""
        return standing_alone(self.svg)
