"""The documentation builds strictly, is whole, and asks nobody for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click
import pytest

from tfdpzoo.cli.main import commands
from tfdpzoo.zoo import catalog

ROOT = Path(__file__).resolve().parents[2]
# What a browser fetches by itself when it shows a page.
_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
_NOT_FETCHED = {"canonical", "next", "prev"}


@dataclass
class Content(HTMLParser):
    """What a page refers to and what can be referred to in it."""

    fetched: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        address = values.get(_FETCHED.get(tag, ""))
        if address and values.get("rel") not in _NOT_FETCHED:
            self.fetched.append(address)
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Content]:
    found = {}
    for path in sorted(site.rglob("*.html")):
        found[path] = Content()
        found[path].feed(path.read_text(encoding="utf-8"))
    return found


def text_of(page: Path) -> str:
    html = page.read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_every_page_of_the_navigation_is_there(site: Path) -> None:
    for name in ("index", "quickstart", "own-images", "choosing-epsilon", "recipes", "pitfalls"):
        assert (site / f"{name}.html").is_file()
    assert (site / "notebooks" / "first-private-model.html").is_file()
    assert {path.stem for path in (site / "models").glob("*.html")} == {*catalog.names()}


def test_nothing_comes_from_elsewhere(site: Path, pages: dict[Path, Content]) -> None:
    for path, content in pages.items():
        for address in content.fetched:
            assert not urlsplit(address).netloc, f"{path.relative_to(site)} fetches {address}"
            assert urlsplit(address).scheme in ("", "data")
    for sheet in site.rglob("*.css"):
        for address in re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", sheet.read_text("utf-8")):
            assert not urlsplit("".join(address).strip("\"'")).netloc, (sheet, address)


def test_links_lead_somewhere(site: Path, pages: dict[Path, Content]) -> None:
    for path, content in pages.items():
        # The page for what is not found has the addresses of a server's root.
        if path.name == "404.html":
            continue
        for address in [*content.links, *content.fetched]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.relative_to(site)} links to {address}"
            if parts.fragment and target in pages and parts.fragment != "__skip":
                assert unquote(parts.fragment) in pages[target].anchors, f"{path}: {address}"


def test_every_recipe_is_in_a_table(site: Path) -> None:
    text = text_of(site / "recipes.html")

    for entry in map(catalog.entry, catalog.names()):
        _, _, rows = text.partition(f"{entry.description}: card.")
        for recipe in entry.recipes:
            assert f" {recipe} " in rows, f"{entry.name} {recipe}"


def options_of(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from options_of(inner, f"{path} {name}")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and path != "tfdpzoo":
            yield path, parameter.opts[0]


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    text = text_of(site / "commands.html")

    for path, option in options_of(commands, "tfdpzoo"):
        assert f"{path} " in text
        assert re.search(rf"{option}\b", text)
    assert "128" not in text
    assert "something in the input cannot be used" in text


def test_the_notebook_has_its_outputs(site: Path) -> None:
    page = site / "notebooks" / "first-private-model.html"

    assert "The final weights of this model are differentially private" in text_of(page)
    assert len(list(page.parent.glob("*.png"))) == 2


def test_docstrings_are_in_the_reference(site: Path) -> None:
    text = text_of(site / "reference" / "training.html")

    assert "What a training run may do to stay (epsilon, delta)-differentially private." in text
    assert "Formal guarantee" in text


def test_a_browser_without_a_network_shows_and_searches_it(site: Path, browser: Any) -> None:
    asked: list[str] = []
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 390, "height": 800}, offline=True)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    page.goto((site / "pitfalls.html").as_uri())
    # A phone shows all of a page's width, and wide tables scroll inside of themselves.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("label.md-header__button[for=__search]")
    page.locator("input.md-search__input").press_sequentially("tempered sigmoid")
    page.wait_for_selector(".md-search-result__item", timeout=20_000)
    found = page.locator(".md-search-result__item").first.inner_text()
    context.close()

    assert "sigmoid" in found.lower()
    assert errors == []
    assert {urlsplit(address).scheme for address in asked} <= {"file", "data", "about"}
