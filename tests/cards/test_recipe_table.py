"""A recipe as a table."""

from __future__ import annotations

import pytest

from tfdpzoo.cards.recipe_table import recipe_settings
from tfdpzoo.zoo import catalog


def test_values_and_their_sources():
    text = """
    model = "m"
    dataset = "digits"
    [architecture]
    flip = true
    kernel = {class_name = "He", config = {scale = 0.5}}
    [sources]
    "architecture.kernel" = "authors"
    """
    found = {each.name: (each.value, each.source) for each in recipe_settings(text)}
    assert found == {
        "dataset": ("digits", "not stated; the default"),
        "architecture.flip": ("true", "not stated; the default"),
        "architecture.kernel.class_name": ("He", "authors"),
        "architecture.kernel.config.scale": ("0.5", "authors"),
    }


def test_a_recipe_that_is_no_toml_has_no_settings():
    assert recipe_settings("no TOML") == ()
    assert recipe_settings("sources = 1") == ()


@pytest.mark.parametrize("model", catalog.names())
def test_every_setting_of_the_zoos_recipes_has_its_source(model):
    for path in catalog.entry(model).recipes.values():
        settings = recipe_settings(path.read_text())
        assert settings
        assert all(each.source != "not stated; the default" for each in settings), path
