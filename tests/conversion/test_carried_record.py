"""What files carry is read as it was written, and nothing that contradicts itself is believed."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.conversion.carried_record import KEYS, CarriedRecord
from tfdpzoo.errors import InputError


@settings(max_examples=25)
@given(names=st.none() | st.lists(st.text()), converter=st.text())
def test_it_is_read_as_it_was_written(record, names, converter) -> None:
    names = None if names is None else tuple(names)
    carried = CarriedRecord(record.guarantee, names, converter)

    assert CarriedRecord.from_entries(carried.to_entries() | {"other": ""}) == carried


def test_the_entries_are_those_that_are_documented(record) -> None:
    entries = record.to_entries()

    assert set(entries) == set(KEYS)
    assert entries["weights_sha256"] == "ab" * 32
    assert "abab" in entries["note"]
    assert "does not bind the bytes of this file" in entries["note"]
    assert "classes" not in dataclasses.replace(record, class_names=None).to_entries()


@pytest.mark.parametrize("key", ["privacy_guarantee", "weights_sha256", "converter", "note"])
def test_what_is_missing_is_told(record, key: str) -> None:
    entries = record.to_entries()
    del entries[key]

    with pytest.raises(InputError, match=f"no privacy record of tfdpzoo: {key} is missing"):
        CarriedRecord.from_entries(entries)


@pytest.mark.parametrize(
    ("key", "old", "new", "sentence"),
    [
        ("weights_sha256", "ab", "ac", "its weights_sha256 is not the digest"),
        ("privacy_guarantee", "abab", "acac", "its weights_sha256 is not the digest"),
        ("privacy_guarantee", "differentially private", "secret", "the sentence of its privacy"),
        ("privacy_guarantee", '"claim"', '"promise"', "lacks the field claim"),
        ("privacy_guarantee", "{", "", "is not valid JSON"),
        ("classes", "[", "", "is not valid JSON"),
        ("classes", '"apple"', "1", "its class names are not a list of texts"),
    ],
)
def test_what_was_altered_is_told(record, key: str, old: str, new: str, sentence: str) -> None:
    entries = record.to_entries()
    assert old in entries[key]
    entries[key] = entries[key].replace(old, new)

    with pytest.raises(InputError, match=sentence):
        CarriedRecord.from_entries(entries)
