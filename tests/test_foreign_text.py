"""What a stranger wrote steers no terminal."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from tfdpzoo.foreign_text import printable, quoted


@given(st.text())
def test_what_is_printed_can_be_shown(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    assert len(shown) == len(text)
    assert all(new in (old, "\ufffd") for old, new in zip(text, shown, strict=True))
    assert quoted(text).isprintable()
    assert len(quoted(text)) <= 203
