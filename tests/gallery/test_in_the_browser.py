"""The gallery as somebody sees, hears and uses it: in headless Chromium, from the file system."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

PHONE = {"width": 360, "height": 780}
DESKTOP = {"width": 1280, "height": 900}

# Contrast by WCAG 2.1: the darker and the lighter colour of every text on what lies behind it.
_LOW_CONTRAST = """() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(srgb") ? 255 : 1;
    return [...found.slice(0, 3).map((each) => each * scale), found[3] ?? 1];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[3] * top[i] + (1 - top[3]) * below[i]);
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
  };
  const luminance = (colour) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    if (!texts.length || element.closest("svg, script, .hidden, .skip")) continue;
    const back = behind(element);
    const front = over(parse(getComputedStyle(element).color), back);
    const [a, b] = [luminance(front), luminance(back)].sort((x, y) => y - x);
    const name = `${element.tagName}.${element.className}: ${texts[0].data.trim()}`;
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push(name);
  }
  return low;
}"""


@pytest.fixture
def opened(browser, site):
    """Opens pages of the site; nothing may be said on the console, nothing fetched elsewhere."""
    complaints: list[str] = []
    contexts = []

    def open_page(path="index.html", viewport=DESKTOP, color_scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=color_scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:", "blob:"))
                else complaints.append(request.url)
            ),
        )
        page.goto((site / path).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def column(page, label: str) -> list[str]:
    cells = page.locator(f'#models tbody [data-label="{label}"]')
    return [text.strip() for text in cells.all_inner_texts()]


def header(page, name: str):
    return page.locator("#models thead th", has=page.get_by_role("button", name=name, exact=True))


def test_sorting_by_click(opened):
    page = opened()
    button = page.get_by_role("button", name="Version", exact=True)
    button.click()
    assert column(page, "Version") == ["1", "1", "2", "10"]
    assert header(page, "Version").get_attribute("aria-sort") == "ascending"
    assert header(page, "Name").get_attribute("aria-sort") == "none"
    button.click()
    assert column(page, "Version") == ["10", "2", "1", "1"]
    assert header(page, "Version").get_attribute("aria-sort") == "descending"
    assert page.locator("#sorted").inner_text() == "Sorted by Version, descending."


def test_sorting_by_keyboard(opened):
    page = opened()
    page.get_by_role("button", name="Test accuracy").focus()
    page.keyboard.press("Enter")
    assert column(page, "Test accuracy") == ["75.0 %", "75.0 %", "75.0 %", "–"]
    page.keyboard.press("Space")
    assert column(page, "Test accuracy")[-1] == "–", "what is not known comes last either way"
    assert header(page, "Test accuracy").get_attribute("aria-sort") == "descending"


def test_the_first_key_skips_to_the_content(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_every_page(opened, site):
    """Links lead somewhere, texts stand out in light and dark, and phones need not scroll."""
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        page = opened(name)
        assert [each for each in _links(page) if not _leads_somewhere(page, name, each)] == [], name
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(_LOW_CONTRAST) == [], (name, scheme)
        page.set_viewport_size(PHONE)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == PHONE["width"], name


def _links(page) -> list[str]:
    return page.locator("a").evaluate_all("links => links.map((link) => link.href)")


def _leads_somewhere(page, name: str, address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme != "file":
        return parts.scheme == "https"
    target = Path(unquote(parts.path))
    if parts.fragment:
        here = page.locator(f"[id='{parts.fragment}']").count() == 1
        return target.as_posix().endswith(name) and here
    return target.is_file()


def test_from_the_table_to_a_card_and_back(opened):
    page = opened()
    page.get_by_role("link", name="<b>bold & co", exact=True).first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "<b>bold & co:1"
    assert page.title() == "<b>bold & co:1 – model card"
    page.get_by_role("link", name="All models").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Private image classifiers"


def test_dark_and_light(opened):
    page = opened(color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    switch = page.get_by_role("button", name="Dark mode")
    assert switch.get_attribute("aria-pressed") == "true"
    switch.click()
    light = page.evaluate(background)
    assert light != dark
    assert switch.get_attribute("aria-pressed") == "false"
    page.reload()
    assert page.evaluate(background) == light, "the choice is remembered"
    assert opened(color_scheme="light").evaluate(background) == light
    # A single card is a page of its own and has the same switch.
    page.get_by_role("link", name="seeded").first.click()
    page.wait_for_url("**/models/**")
    assert page.evaluate(background) == light


def test_the_table_on_a_phone_is_still_a_table_that_sorts(opened):
    page = opened(viewport=PHONE)
    table = page.get_by_role("table", name=re.compile("Registered models"))
    assert table.get_by_role("row").count() == 5
    page.get_by_role("button", name="Version", exact=True).click()
    assert column(page, "Version")[-1] == "10"


def test_what_a_screen_reader_is_told(opened):
    page = opened()
    tree = page.locator("body").aria_snapshot()
    assert "- main:" in tree
    assert "- banner:" in tree
    assert "- contentinfo:" in tree
    assert re.search(r"columnheader .*Epsilon", tree)
    assert re.search(r"rowheader .*alpha", tree)
    assert re.search(r'combobox "Data set"', tree)
    assert re.search(r'img "Accuracy against epsilon on .* published results', tree)
    for level, following in zip(headings := _levels(page), headings[1:], strict=False):
        assert following <= level + 1


def _levels(page) -> list[int]:
    tags = page.locator("h1, h2, h3, h4").evaluate_all(
        "all => all.map((h) => Number(h.tagName[1]))"
    )
    assert tags.count(1) == 1
    return tags


def test_a_card_by_ear(opened):
    page = opened("models/alpha-10.html")
    assert len(page.get_by_role("img").all()) >= 3
    assert page.get_by_role("img", name=re.compile("The network from top to bottom")).count() == 1
    assert page.get_by_role("table", name=re.compile("Confusion matrix")).count() == 1
    assert page.get_by_role("navigation", name="On this page").count() == 1
    assert _levels(page)


def test_the_plot_has_models_and_published_results(opened):
    page = opened()
    choice = page.get_by_label("Data set")
    choice.select_option("cifar10")
    names = page.evaluate("document.getElementById('chart').data.map((each) => each.name)")
    assert "this gallery" in names
    assert names.count("published") > 5
    own = "document.getElementById('chart').data.find((each) => each.name === 'this gallery')"
    assert page.evaluate(f"{own}.text") == ["alpha:2", "alpha:10"]
    page.get_by_text("The points of the plot as a table").click()
    assert page.get_by_role("cell", name="73.5 %").count() > 0


def test_html_in_a_data_set_and_in_classes_is_text(opened):
    page = opened()
    page.get_by_label("Data set").select_option(index=1)
    assert "<script>" in page.get_by_label("Data set").inner_text()
    page.get_by_role("link", name="<b>bold & co", exact=True).first.click()
    assert page.title().endswith("model card")
    assert page.get_by_role("rowheader", name="<script>document.title").count() > 0


def test_without_the_plot_nothing_else_is_lost(browser, site):
    """Where scripts do not run the page has no switch, but all facts."""
    context = browser.new_context(java_script_enabled=False, viewport=DESKTOP)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    assert page.locator("#models tbody tr").count() == 4
    assert not page.locator("#theme").is_visible()
    context.close()
