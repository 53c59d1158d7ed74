"""Cards in Markdown."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import tensorflow as tf
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tfdpzoo.cards import statements
from tfdpzoo.cards.markdown import render_markdown
from tfdpzoo.cards.templating import escape_markdown, fenced


@pytest.fixture(scope="module")
def files(full):
    return render_markdown(full, "apache-2.0")


@pytest.fixture(scope="module")
def text(files):
    return files["README.md"]


def front(text: str) -> dict:
    _, fields, _ = text.split("---\n", 2)
    return yaml.safe_load(fields)


def as_html(text: str) -> str:
    """As a hub shows it: HTML in Markdown is HTML."""
    body = text.split("---\n", 2)[2]
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(body)


def test_the_front_matter_is_what_hubs_read(full, text):
    fields = front(text)
    assert fields["license"] == "apache-2.0"
    assert fields["library_name"] == "tensorflow"
    assert fields["pipeline_tag"] == "image-classification"
    assert fields["datasets"] == ["uoft-cs/cifar10"]
    assert fields["metrics"] == ["accuracy", "loss"]
    (result,) = fields["model-index"][0]["results"]
    assert result["dataset"] == {"type": "uoft-cs/cifar10", "name": "cifar10", "split": "test"}
    assert result["metrics"][0] == {"type": "accuracy", "name": "Test accuracy", "value": 0.75}
    assert "differential-privacy" in fields["tags"]
    privacy = fields["privacy"]
    assert privacy["valid"] is True
    assert privacy["epsilon"] == full.guarantee.epsilon
    assert privacy["delta"] == 1e-4
    assert privacy["unit"] == "example"
    assert privacy["relation"] == "ADD_OR_REMOVE_ONE"
    assert privacy["accountant"] == "PLD"
    assert privacy["test_metrics_covered"] is False
    assert (privacy["covers"], privacy["tuning"]) == ("this run", "not accounted")
    assert "search" not in privacy


def test_the_front_matter_tells_of_the_search(searched):
    text = render_markdown(searched, "apache-2.0")["README.md"]
    privacy = front(text)["privacy"]
    search = searched.guarantee.tuning.search
    assert privacy["accountant"] == "RDP"
    assert (privacy["covers"], privacy["tuning"]) == ("the whole search", "accounted")
    assert privacy["epsilon"] == privacy["search"]["total_epsilon"] == search.total_epsilon
    assert privacy["search"] == {
        "mode": "random",
        "law": "truncated negative binomial",
        "mean": 10.0,
        "shape": 0.5,
        "trial_epsilon": search.trial_epsilon,
        "total_epsilon": search.total_epsilon,
        "released": "the best trial",
    }
    assert "same images, but for the search that is accounted, are not in epsilon" in text
    assert "protects one training or held-out example" in text
    assert search.trials is None


def test_the_first_sentence_names_the_data_set(text):
    """With a blank on both sides, of which escaping once took one."""
    assert re.search(r", trained on [\w-]+ with differential privacy\. ", text)


def test_pictures_lie_beside_and_say_what_they_show(files, text):
    shown = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", text)
    assert (
        {file for _, file in shown}
        == {*files} - {"README.md"}
        == {
            "architecture.svg",
            "learning-curve.svg",
            "epsilon-of-delta.svg",
            "confusion-matrix.svg",
        }
    )
    assert all(len(alternative) > 40 for alternative, _ in shown)
    for name in {*files} - {"README.md"}:
        ElementTree.fromstring(files[name])
        assert "var(" not in files[name]


def test_html_in_names_and_recipes_is_text(text):
    html = as_html(text)
    assert "<script" not in html
    assert "<b>small" not in html
    assert "&lt;script&gt;" in html
    assert "<td>|e|</td>" in html
    assert "<td>*d*</td>" in html


def test_every_row_of_accounting_is_there(text):
    assert "no amplification by sampling" in text
    assert "RDP" in text


def test_what_is_said_of_test_images_and_of_the_architecture(full, text):
    assert statements.TEST_METRICS in text
    assert "A *small* net." in text
    assert "- It has <i>limits</i>." in text


def test_the_three_lines_load_the_model(models, text, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert code.count("\n") == 3
    monkeypatch.chdir(models)
    found: dict = {}
    exec(code, found)
    assert found["probabilities"].shape == (1, 4)
    assert tf.reduce_sum(found["probabilities"]).numpy() == pytest.approx(1)


def test_an_invalid_guarantee_comes_first(invalid):
    text = render_markdown(invalid)["README.md"]
    fields = front(text)
    assert fields["privacy"]["valid"] is False
    assert fields["privacy"]["weaknesses"] == ["the seed was <b>known</b>"]
    assert "differential-privacy" not in fields["tags"]
    body = text.split("---\n", 2)[2].strip().splitlines()
    assert "NOT valid" in body[0]
    assert "# invalid:1" in body[1:]
    assert "with differential privacy" not in text
    assert "<b>known" not in as_html(text)


def test_what_is_not_known_is_said(silent):
    files = render_markdown(silent)
    text = files["README.md"]
    assert statements.NO_TRAINING_FACTS in text
    assert statements.NO_LAYERS in text
    assert "No results are recorded." in text
    assert "Licence: not stated." in text
    assert {*files} == {"README.md", "epsilon-of-delta.svg"}
    assert "model-index" not in front(text)


@given(st.text(max_size=60))
def test_escaped_text_shows_as_it_is(value):
    shown = MarkdownIt("commonmark", {"html": True}).render(f"x {escape_markdown(value)}")
    text = re.sub(r"<(?!/?p>)", "", shown)
    assert text == shown, "a tag came out of it"


@given(st.text("`~ab\n", max_size=40))
def test_code_does_not_end_its_block(value):
    tokens = MarkdownIt("commonmark").parse(str(fenced(value)))
    assert [token.type for token in tokens] == ["fence"]
