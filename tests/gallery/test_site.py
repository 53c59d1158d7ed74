"""The gallery's files: what is shown, what is not, and what is replaced."""

from __future__ import annotations

import os
import shutil

import pytest
from card_models import SCRIPT, export_full

from tfdpzoo.cards.markdown import render_markdown
from tfdpzoo.errors import InputError
from tfdpzoo.gallery import site as site_module
from tfdpzoo.gallery.models import RegisteredVersion, registered_versions
from tfdpzoo.gallery.site import MARKER, build_gallery


@pytest.fixture
def registry(models, tmp_path):
    """One model, which is quick."""
    folder = tmp_path / "models"
    shutil.copytree(models / "seeded", folder / "seeded")
    return folder


def test_all_versions_are_found_in_order(models):
    found = [(each.name, each.version) for each in registered_versions(models)]
    assert found == [
        ("<b>bold & co", 1),
        ("alpha", 2),
        ("alpha", 10),
        ("broken", 1),
        ("seeded", 1),
    ]


def test_pages_have_safe_names_that_differ(tmp_path):
    names = ["a b", "a_b", "a?b", "<b>", "ä", os.fsdecode(b"\xff")]
    pages = [RegisteredVersion(tmp_path / name / "1").page for name in names]
    assert len({*pages}) == len(pages)
    assert all(page.isascii() and "/" not in page and " " not in page for page in pages)


def test_what_is_in_the_site(site):
    assert {path.name for path in site.iterdir()} == {"index.html", "assets", "models", MARKER}
    assert len(list((site / "models").iterdir())) == 4
    assert len(list(site.rglob("plotly*"))) == 1


def test_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert 'src="http' not in text
        assert '<link rel="stylesheet" href="http' not in text


def test_html_in_names_is_text(site):
    text = (site / "index.html").read_text()
    assert "&lt;b&gt;bold &amp; co" in text
    assert "<b>bold" not in text
    assert SCRIPT not in text


def test_what_is_not_intact_is_listed_with_the_reason_and_without_folders(site, models):
    text = (site / "index.html").read_text()
    assert "broken:1" in text
    assert "The file saved_model.pb was altered" in text
    assert str(models) not in text


def test_an_invalid_guarantee_is_marked(site):
    assert 'class="badge invalid">NOT valid' in (site / "index.html").read_text()


def test_an_earlier_gallery_is_replaced_as_a_whole(registry, tmp_path):
    out = tmp_path / "site"
    build_gallery(registry, out)
    (out / "models" / "old.html").touch()
    build_gallery(registry, out)
    assert [each.name for each in (out / "models").iterdir()] == ["seeded-1.html"]
    assert {each.name for each in tmp_path.iterdir()} == {"models", "site"}


def test_an_empty_registry_gives_a_site_that_says_so(tmp_path):
    (tmp_path / "models").mkdir()
    assert build_gallery(tmp_path / "models", tmp_path / "a" / "site") == ()
    assert "There are no models yet" in (tmp_path / "a" / "site" / "index.html").read_text()


def test_a_folder_that_is_no_gallery_stays(registry, tmp_path):
    out = tmp_path / "site"
    out.mkdir()
    (out / "thesis.tex").touch()
    with pytest.raises(InputError, match="exists already and is no gallery"):
        build_gallery(registry, out)
    assert [each.name for each in out.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_files_and_links_stay(registry, tmp_path, kind):
    out = tmp_path / "site"
    if kind == "file":
        out.touch()
    else:
        os.symlink(tmp_path, out)
    with pytest.raises(InputError, match="is no folder"):
        build_gallery(registry, out)
    assert os.path.lexists(out)


def test_facts_with_odd_characters_break_no_page(tmp_path):
    odd = "\ud800\x00\x1b[2J"
    export_full(tmp_path / "models" / "odd" / "1", dataset=odd)
    (model,) = build_gallery(tmp_path / "models", tmp_path / "site")
    assert model.problem == ""
    assert len(list((tmp_path / "site" / "models").iterdir())) == 1
    text = render_markdown(model.card)["README.md"]
    assert "\x1b" not in text
    assert "trained on \ufffd\ufffd\ufffd\\[2J" in text


def test_a_name_that_is_no_utf8_is_listed(registry, tmp_path):
    shutil.copytree(registry / "seeded", registry / os.fsdecode(b"\xff<b>"))
    build_gallery(registry, tmp_path / "site")
    text = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "\ufffd&lt;b&gt;" in text


def test_there_is_no_registry(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        build_gallery(tmp_path / "none", tmp_path / "site")


def test_a_failure_leaves_the_earlier_gallery_and_nothing_else(registry, tmp_path, monkeypatch):
    out = tmp_path / "site"
    build_gallery(registry, out)
    (out / "earlier").touch()

    def fail(models: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site_module, "data_set_plots", fail)
    with pytest.raises(InputError, match="site cannot be written: No space left on device"):
        build_gallery(registry, out)
    assert (out / "earlier").exists()
    assert {each.name for each in tmp_path.iterdir()} == {"models", "site"}
    with pytest.raises(InputError, match="cannot be written"):
        build_gallery(registry, tmp_path / "new" / "site")
    assert not (tmp_path / "new").exists()
