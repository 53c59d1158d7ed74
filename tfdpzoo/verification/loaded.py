"""What a SavedModel says when TensorFlow loads it: its weights, and its own privacy record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfdpzoo.privacy import strict_json
from tfdpzoo.verification.comparison import differences
from tfdpzoo.verification.form import form_problems
from tfdpzoo.version_folder import PRIVACY_FILE, VARIABLES, PrivacyFile, weights_digest

_LONGEST_REASON = 160


def loaded_problems(folder: Path, record: PrivacyFile) -> Iterator[str]:
    """Compares a record with the variables and with the model's own answer.

    Args:
        folder: The version's folder, whose files are those that were written.
        record: What its privacy.json holds.

    Yields:
        A sentence for each problem.
    """
    # TensorFlow's readers raise errors of many kinds, even AssertionError, for files that are whole
    # but do not fit together; each means that the version is not what was exported.
    try:
        if weights_digest(_stored_weights(folder)) != record.guarantee.provenance.weights_sha256:
            yield "The weights are not the ones of the record: they do not have its digest."
    except Exception as error:
        yield f"The variables cannot be read: {_first_line(error)}."
    try:
        text = _answer(folder)
        answer = strict_json.from_text(text)
    except Exception as error:
        yield f"The model does not answer with its privacy record: {_first_line(error)}."
        return
    found = list(differences(record.fields, answer))
    for where, was, should in found:
        yield f"{PRIVACY_FILE} states {where} = {was}, but the model itself answers {should}."
    if found:
        return
    form = list(
        form_problems(PRIVACY_FILE, record.fields, record.guarantee, canonical=record.canonical)
    )
    yield from form
    if not form and text != record.guarantee.to_json().encode():
        yield f"The model itself answers with another text than that of {PRIVACY_FILE}."


def _answer(folder: Path) -> bytes:
    signatures = tf.saved_model.load(str(folder)).signatures
    answer = signatures["privacy_guarantee"]()["json"].numpy()
    by_rest = signatures.get("privacy_guarantee_rest")  # Exports before it was there lack it.
    if by_rest and any(by_rest(requests=tf.constant([""]))["json"].numpy() != answer):
        raise ValueError("over REST it answers with another one")
    return answer


def _stored_weights(folder: Path) -> Iterator[tuple[str, Any]]:
    """Reads the weights as they were named at export, in order, without building a model."""
    reader = tf.train.load_checkpoint(str(folder / VARIABLES))
    for key in sorted(reader.get_variable_to_shape_map()):
        matched = _CHECKPOINT_KEY.fullmatch(key)
        if matched:
            yield _ESCAPES.sub(lambda each: _ESCAPED[each[0]], matched[1]), reader.get_tensor(key)


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line[:_LONGEST_REASON].rstrip(". ")


_CHECKPOINT_KEY = re.compile(r"weights/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")
_ESCAPES = re.compile(r"\.\.|\.S")
_ESCAPED = {"..": ".", ".S": "/"}
"""How TensorFlow writes a name as one part of a checkpoint's key."""
