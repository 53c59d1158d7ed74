"""The published JSON Schema: the committed file, and what it takes and refuses."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from altered_records import alter_one_field, at, places
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from searches import LAWS, adaptive_search, random_search, record_of
from stand_in import StandIn

from tfdpzoo.cli.main import main
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.json_schema import schema_of
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.published_schema import privacy_schema, privacy_schema_text
from tfdpzoo.privacy.record import EmpiricalAudit
from tfdpzoo.privacy.search import Search
from tfdpzoo.saved_model import export

SEARCHED = record_of(random_search())
PUBLISHED = Path(__file__).resolve().parents[2] / "schema" / "privacy-guarantee-v1.json"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text()))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of privacy.json of an export."""
    path = export(StandIn(), tmp_path_factory.mktemp("models") / "1", class_names="abcd")
    return (path / "assets.extra" / "privacy.json").read_text()


def test_the_published_file_is_what_the_dataclasses_give() -> None:
    assert PUBLISHED.read_text() == privacy_schema_text(), (
        "write it anew: tfdpzoo schema > schema/privacy-guarantee-v1.json"
    )


def test_the_program_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == PUBLISHED.read_text()


def test_it_is_a_valid_schema_of_its_dialect() -> None:
    jsonschema.Draft202012Validator.check_schema(privacy_schema())


def test_every_field_is_described() -> None:
    schema = privacy_schema()
    for name, each in {"the record": schema, **schema["$defs"]}.items():
        assert each["description"], name
        for field, description in each["properties"].items():
            assert description.get("description"), f"{name}.{field}"


def test_a_real_export_is_valid(validator: Any, text: str) -> None:
    validator.validate(json.loads(text))


def test_unusual_records_are_valid(validator: Any) -> None:
    audit = EmpiricalAudit("canaries", 100, 0.5, 0.95)
    plain = PrivacyGuarantee.state(
        segments=[Segment(0.0, 0.1, 10)],
        delta=1e-4,
        clip_norm=None,
        examples=1_000,
        expected_batch=100,
        planned_updates=10,
        target_epsilon=None,
        metrics={"accuracy": 0.5},
        tuning=Tuning.declared("public"),
        audit=audit,
    )
    assert plain.epsilon == math.inf
    assert PrivacyGuarantee.from_json(plain.to_json()) == plain
    validator.validate({**plain.to_fields(), "files": {}})


@pytest.mark.parametrize(
    "search", [random_search(), random_search(law=LAWS[2]), adaptive_search()], ids=str
)
def test_records_of_searches_are_valid(validator: Any, search: Search) -> None:
    validator.validate({**record_of(search).to_fields(), "files": {}})


@settings(max_examples=100)
@given(data=st.data())
def test_wrong_searches_are_not_valid(validator: Any, data: st.DataObject) -> None:
    fields = {**SEARCHED.to_fields(), "files": {}}
    alter_one_field(fields["tuning"]["search"], data)
    assert not validator.is_valid(fields)
    del fields["files"]
    with pytest.raises(InputError, match=r"tuning\.search"):
        PrivacyGuarantee.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("schema_version",), 2),
        (("claim", "epsilon"), -1),
        (("claim", "epsilon"), "endless"),
        (("claim", "delta"), "infinity"),
        (("status", "valid"), 1),
        (("tuning", "kind"), "some"),
        (("sampling", "scheme"), "shuffle"),
        (("updates", "planned"), 1.5),
        (("updates", "segments", 0, "noise_multiplier"), None),
        (("files", "saved_model.pb"), "0" * 63),
        (("files",), None),
        (("sentence",), None),
    ],
)
def test_wrong_values_are_not_valid(validator: Any, text: str, where: Any, value: Any) -> None:
    fields = json.loads(text)
    holder = at(fields, where[:-1])
    assert where[-1] in holder if isinstance(holder, dict) else holder[where[-1]]
    holder[where[-1]] = value
    assert not validator.is_valid(fields)


@settings(max_examples=200)
@given(data=st.data())
def test_missing_unknown_and_mistyped_fields_are_not_valid(
    validator: Any, text: str, data: st.DataObject
) -> None:
    fields = json.loads(text)
    alter_one_field(fields, data)
    assert not validator.is_valid(fields)


@settings(max_examples=200)
@given(data=st.data())
def test_what_tfdpzoo_reads_is_valid(validator: Any, text: str, data: st.DataObject) -> None:
    """The schema never refuses what the program takes, whatever the values are."""
    fields = json.loads(text)
    where = data.draw(st.sampled_from([each for each in places(fields) if each]))
    values = st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=5)
    at(fields, where[:-1])[where[-1]] = data.draw(values)
    files = fields.pop("files")
    try:
        PrivacyGuarantee.from_json(json.dumps(fields))
    except InputError:
        return
    assume(where[0] != "files")
    assert validator.is_valid({**fields, "files": files})


def test_a_class_without_a_docstring_has_a_schema() -> None:
    bare = dataclasses.make_dataclass("Bare", [("number", float), ("pair", "tuple[int, ...]")])
    bare.__doc__ = None

    assert schema_of(bare)["properties"] == {
        "number": {"type": "number"},
        "pair": {"type": "array", "items": {"type": "integer"}},
    }
