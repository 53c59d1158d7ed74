"""TOML that is written reads back the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.toml import parse_table, parse_value, read_table, write_table

_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=5))
@settings(deadline=None)
def test_tables_survive_being_written(tmp_path_factory: pytest.TempPathFactory, table) -> None:
    path = tmp_path_factory.mktemp("toml") / "table.toml"
    path.write_bytes(write_table(table).encode("utf-8"))
    assert read_table(path) == table


def test_values_without_a_form_in_toml() -> None:
    with pytest.raises(InputError, match="None cannot be written as TOML"):
        write_table({"image_size": None})


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"recipe\.toml is not valid TOML"):
        read_table(path)


@pytest.mark.parametrize("text", ["[" * 5000, "9" * 5000, "1\nother = 2", "", "= 1"])
def test_text_that_is_no_single_value_stays_text(text: str) -> None:
    assert parse_value(text) == text.strip()


@pytest.mark.parametrize("text", ["a = ", "= 1", "a = 1\na = 2", "[" * 100_000])
def test_text_that_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="^The text is not valid TOML: "):
        parse_table(text)
