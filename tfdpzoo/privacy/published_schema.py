"""The published JSON Schema of `privacy.json`, for whoever reads it without tfdpzoo.

`schema/privacy-guarantee-v1.json` in the repository is what this module makes of the dataclasses;
`tfdpzoo schema` prints the same from an installed package.
"""

from __future__ import annotations

from typing import Any

from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import SCHEMA_VERSION, PrivacyGuarantee
from tfdpzoo.privacy.json_schema import DIALECT, schema_of

_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def privacy_schema() -> dict[str, Any]:
    """Returns the schema of `assets.extra/privacy.json`: the record and the digests of the files.

    Example:
        >>> schema = privacy_schema()
        >>> schema["properties"]["files"]["additionalProperties"]["pattern"]
        '^[0-9a-f]{64}$'
    """
    record = schema_of(PrivacyGuarantee)
    properties = {
        "sentence": {
            "type": "string",
            "description": "The guarantee for people, generated from the fields.",
        },
        **record["properties"],
        "files": {
            "type": "object",
            "description": "The SHA-256 digest of every file of the version but privacy.json and "
            "privacy.sig.json, by its path.",
            "additionalProperties": _DIGEST,
        },
    }
    properties["schema_version"]["const"] = SCHEMA_VERSION
    return {
        "$schema": DIALECT,
        "$id": f"urn:tfdpzoo:privacy-guarantee:v{SCHEMA_VERSION}",
        "title": f"Privacy guarantee of a trained model, version {SCHEMA_VERSION}",
        "description": "What assets.extra/privacy.json of a SavedModel holds. A valid document has "
        "the right form; whether it is true is for `tfdpzoo verify` to say. A served model answers "
        "with the same, without `files`.",
        "type": "object",
        "properties": properties,
        "required": ["sentence", *record["required"], "files"],
        "additionalProperties": False,
        "$defs": record["$defs"],
    }


def privacy_schema_text() -> str:
    """Returns the schema as it is published, always in the same form."""
    return strict_json.to_text(privacy_schema()) + "\n"
