"""A privacy record as tables."""

from __future__ import annotations

import dataclasses
import json
import math

from tfdpzoo.cards.record_tables import event_text, record_tables
from tfdpzoo.privacy.guarantee import PrivacyGuarantee


def test_every_field_is_in_a_table(full):
    tables = record_tables(full.guarantee)
    titles = " ".join(table.title for table in tables)
    for field in dataclasses.fields(PrivacyGuarantee):
        if field.name not in ("event", "schema_version", "audit"):
            assert field.name.replace("_", " ").capitalize() in titles
    assert all(len(row) == len(table.head or "ab") for table in tables for row in table.rows)


def test_all_rows_of_accounting_are_there_and_none_is_rounded_down(full):
    (results,) = [each for each in record_tables(full.guarantee) if each.title == "Results"]
    column = results.head.index("Epsilon")
    assert len(results.rows) == len(full.guarantee.results) == 3
    for row, result in zip(results.rows, full.guarantee.results, strict=True):
        assert float(row[column]) >= result.epsilon
    assert any("no amplification" in cell for row in results.rows for cell in row)


def test_a_search_has_tables_of_its_own(searched):
    tables = {table.title: table for table in record_tables(searched.guarantee)}
    search = searched.guarantee.tuning.search
    rows = dict(tables["Tuning: search"].rows)
    assert (rows["Mode"], rows["Released"]) == ("random", "the best trial")
    assert float(rows["Trial epsilon"]) >= search.trial_epsilon
    assert float(rows["Total epsilon"]) >= search.total_epsilon
    law = dict(tables["Tuning: search: law"].rows)
    assert law == {"Name": "truncated negative binomial", "Mean": "10", "Shape": "0.5"}
    assert dict(tables["Tuning: search: trial"].rows)["Updates"] == "20"
    covers = [row[tables["Results"].head.index("Covers")] for row in tables["Results"].rows]
    assert covers == ["the whole search"] * 2 + ["this run"] * 3


def test_infinite_epsilon_is_written(full):
    claim = dataclasses.replace(full.guarantee.claim, epsilon=math.inf)
    tables = record_tables(dataclasses.replace(full.guarantee, claim=claim))
    assert ("Epsilon", "∞") in next(each for each in tables if each.title == "Claim").rows


def test_the_event_is_json(full):
    assert json.loads(event_text(full.guarantee))["event"] == "ComposedDpEvent"


def test_what_is_not_stated_is_not_said_to_be_nothing(full):
    """Nobody says how many examples a person has: that is another thing than none."""
    (unit,) = [each for each in record_tables(full.guarantee) if each.title == "Unit"]
    assert full.guarantee.unit.examples_per_person is None
    assert ("Examples per person", "none stated") in unit.rows
