"""A card in Markdown, with front matter, and its pictures as files beside it."""

from __future__ import annotations

from collections.abc import Mapping

from tfdpzoo.cards import statements
from tfdpzoo.cards.contents import contents_of
from tfdpzoo.cards.context import Card
from tfdpzoo.cards.front_matter import front_matter
from tfdpzoo.cards.templating import markdown_templates

CARD_FILE = "README.md"
UNKNOWN_LICENCE = "unknown"


def render_markdown(card: Card, licence: str = UNKNOWN_LICENCE) -> Mapping[str, str]:
    """Renders a card as the files of a folder.

    Args:
        card: The facts.
        licence: The identifier of the model's licence, as `"apache-2.0"`.

    Returns:
        The files' texts by their names: `README.md` and a picture or more.
    """
    contents = contents_of(card)
    text = (
        markdown_templates()
        .get_template("card.md")
        .render(
            contents=contents,
            card=card,
            front_matter=front_matter(card, licence),
            licence=licence,
            unknown_licence=UNKNOWN_LICENCE,
            statements=statements,
        )
    )
    pictures = {f"{name}.svg": each.file for name, each in contents.pictures.items()}
    return {CARD_FILE: text, **pictures}
