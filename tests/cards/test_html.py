"""Cards in HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tfdpzoo.cards import statements
from tfdpzoo.cards.html import render_html

_VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """Checks that tags are closed in order, and collects what they hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.tags if each == tag]


@pytest.fixture(scope="module")
def text(full):
    return render_html(full)


def test_it_is_a_page_of_its_own(text):
    page = Page(text)
    assert page.of("html") == [{"lang": "en"}]
    assert page.of("link") == []
    assert all("src" not in script for script in page.of("script"))
    assert len(page.of("h1")) == 1
    assert len(page.of("svg")) == 3
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in page.of("svg"))


def test_identifiers_are_unique_and_links_lead_to_them(text):
    page = Page(text)
    identifiers = [each["id"] for _, each in page.tags if each.get("id")]
    assert len(identifiers) == len({*identifiers})
    for link in page.of("a"):
        if link["href"].startswith("#"):
            assert link["href"][1:] in identifiers


def test_html_in_names_and_recipes_is_text(text):
    assert "<script>document" not in text
    assert "<b>small" not in text
    assert "<i>limits" not in text
    assert "&lt;script&gt;document" in text


def test_what_has_to_be_said(full, text):
    assert full.guarantee.sentence() in text
    assert statements.TEST_METRICS in text
    assert "no amplification by sampling" in text
    assert "<em>small</em> net" in text
    assert "How the settings were chosen is neither accounted nor declared" in text
    for sentence in statements.limits(full):
        assert sentence in text


def test_an_invalid_guarantee_comes_first(invalid):
    text = render_html(invalid)
    Page(text)
    main = text[text.index("<main") :]
    assert main.index("is NOT valid") < main.index("<h1")
    assert "the seed was &lt;b&gt;known&lt;/b&gt;" in main[: main.index("<h1")]
    assert "Epsilon, NOT valid" in main
    assert "Valid guarantee" not in main
    assert "The guarantee protects" not in main
    assert "are to stay private" not in main


def test_what_is_not_known_is_said(silent):
    text = render_html(silent)
    Page(text)
    assert statements.NO_TRAINING_FACTS in text
    assert statements.NO_LAYERS in text
    assert re.search(r"Test accuracy</dt><dd>–", text)


def test_a_recipe_that_is_no_toml_is_shown_as_it_is(full):
    import dataclasses

    training = dataclasses.replace(full.training, recipe_text="not <b>TOML")
    facts = dataclasses.replace(full.facts, training=training)
    text = render_html(dataclasses.replace(full, facts=facts))
    Page(text)
    assert "not &lt;b&gt;TOML" in text
