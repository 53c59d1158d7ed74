"""A card in HTML: a page of its own, with its style, script and pictures inside."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

from tfdpzoo.cards import statements
from tfdpzoo.cards.architecture_notes import ArchitectureNotes
from tfdpzoo.cards.contents import contents_of
from tfdpzoo.cards.context import Card
from tfdpzoo.cards.templating import page_templates


def render_html(card: Card) -> str:
    """Renders a card as one file that needs no other.

    Args:
        card: The facts.
    """
    return render_page(card, "tfdpzoo.cards", "card.html")


def render_page(card: Card, package: str, template: str, **more: object) -> str:
    """Renders a card by a template.

    Args:
        card: The facts.
        package: Whose template it is.
        template: The template; it extends `card.html`.
        **more: What the template needs beside the card.
    """
    return (
        page_templates(package)
        .get_template(template)
        .render(
            contents=contents_of(card),
            card=card,
            notes=_notes(card),
            statements=statements,
            **more,
        )
    )


def _notes(card: Card) -> dict[str, Markup]:
    """What is written of the architecture, as HTML. HTML in it is shown as text."""
    notes = card.notes or ArchitectureNotes("", "", "")
    markdown = MarkdownIt("commonmark", {"html": False})
    return {
        "introduction": Markup(markdown.render(notes.introduction)),
        "limits": Markup(markdown.render(notes.limits)),
    }
