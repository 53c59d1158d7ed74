"""Verification: does an exported model still say, and support, what it claimed?

What is checked, in this order:

1. every file of the version has the digest that privacy.json lists, and none is added or missing;
   privacy.json has exactly the form in which it was written;
2. the weights in the variables have the digest that the record states;
3. the model's own answer, the signature `privacy_guarantee`, is the record in privacy.json;
4. every number of the record that follows from the executed updates is computed again.

A model is loaded (steps 2 and 3) only if its files are the ones that were written. Verification
finds alterations and wrong arithmetic. It cannot tell who wrote a record, nor whether the training
happened as recorded: somebody who replaces model, record and digests together, with arithmetic
that is right, has made a new claim. As with every SavedModel, loading a stranger's runs its graph.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import PrivacyGuarantee, evident_weaknesses
from tfdpzoo.privacy.results import account, noise_standard_deviation
from tfdpzoo.version_folder import (
    PRIVACY_FILE,
    VARIABLES,
    PrivacyFile,
    file_digests,
    find_version,
    read_privacy_file,
    weights_digest,
)

_TOLERANCE = 1e-6
"""Relative. Processors round differently in the Fourier transforms of PLD, which moves epsilon by a
few 1e-9."""

_SMALLEST_INTERVAL = 1e-5
"""Recomputing on a finer grid would take gigabytes; tfdpzoo never writes one."""

_LONGEST_REASON = 160


@dataclass(frozen=True)
class VerificationReport:
    """What `verify` found.

    Attributes:
        path: The version's folder.
        ok: Whether nothing is missing, altered or miscalculated. It does not say that the guarantee
            is a good one: an honest record of an invalid guarantee verifies, see `guarantee.valid`.
        problems: One sentence for each problem.
        guarantee: The record, if it could be read.
        recomputed_epsilon: Epsilon by PLD from the record's own updates, if the record is the one
            that was written.
    """

    path: Path
    ok: bool
    problems: tuple[str, ...]
    guarantee: PrivacyGuarantee | None
    recomputed_epsilon: float | None


def verify(path: str | Path) -> VerificationReport:
    """Checks an exported model against its own privacy record; takes seconds.

    Args:
        path: A version's folder, or a model's folder, of which the newest version is taken.

    Returns:
        The report; `ok` is False where anything is missing, altered or miscalculated.

    Raises:
        InputError: There is no SavedModel at `path`.

    Example:
        >>> verify("saved_models/smoothnet").ok  # doctest: +SKIP
        True
    """
    folder = find_version(path)
    try:
        record = read_privacy_file(folder)
    except InputError as error:
        return VerificationReport(folder, False, (str(error),), None, None)
    guarantee = record.guarantee
    problems = tuple(_altered_files(folder, record.files))
    problems = problems or tuple(_loaded_problems(folder, record))
    if problems:
        return VerificationReport(folder, False, problems, guarantee, None)
    epsilon, miscalculated = check_arithmetic(guarantee)
    return VerificationReport(folder, not miscalculated, tuple(miscalculated), guarantee, epsilon)


def check_arithmetic(guarantee: PrivacyGuarantee) -> tuple[float | None, list[str]]:
    """Computes again whatever follows from the executed updates.

    Args:
        guarantee: A record from anywhere.

    Returns:
        Epsilon by PLD (None if it cannot be computed), and a sentence for each number that differs.
    """
    interval = guarantee.results[0].discretization_interval or 0.0
    if interval < _SMALLEST_INTERVAL:
        return None, [f"The record's discretisation interval of {interval:g} is not plausible."]
    try:
        accounts = account(guarantee.updates.segments, guarantee.delta, interval)
    except (ArithmeticError, ValueError, MemoryError) as error:
        return None, [f"The record's epsilon cannot be computed again: {error}."]
    epsilon = accounts.results[0].epsilon
    computed = {
        "claim": {"epsilon": epsilon},
        "results": [{**strict_json.encode(row), **_VERSIONLESS} for row in accounts.results],
        "curve": [strict_json.encode(point) for point in accounts.curve],
        "renyi": strict_json.encode(accounts.renyi),
        "event": strict_json.encode(accounts.event),
        **_derived(guarantee),
    }
    stated = strict_json.encode(guarantee)
    problems = [
        f"The record states {where} = {was}, but its own updates give {should}."
        for where, was, should in _differences(stated, computed)
    ]
    evident = evident_weaknesses(
        guarantee.claim, guarantee.mechanism.clip_norm, guarantee.sampling.examples
    )
    problems += [
        f"The record hides a weakness: {weakness}."
        for weakness in evident
        if weakness not in guarantee.weaknesses
    ]
    return epsilon, problems


def _altered_files(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    try:
        found = file_digests(folder)
    except OSError as error:
        yield f"A file of the model cannot be read: {error.filename}, {error.strerror}."
        return
    for name in sorted({*files, *found}):
        if name not in found:
            yield f"The file {name} is missing."
        elif name not in files:
            yield f"The file {name} was added: {PRIVACY_FILE} does not list it."
        elif found[name] != files[name]:
            yield f"The file {name} was altered: it does not have the digest in {PRIVACY_FILE}."


def _loaded_problems(folder: Path, record: PrivacyFile) -> Iterator[str]:
    """Compares the record with the variables and with the model's own answer."""
    # TensorFlow's readers raise errors of many kinds, even AssertionError, for files that are whole
    # but do not fit together; each means that the version is not what was exported.
    try:
        if weights_digest(_stored_weights(folder)) != record.guarantee.provenance.weights_sha256:
            yield "The weights are not the ones of the record: they do not have its digest."
    except Exception as error:
        yield f"The variables cannot be read: {_first_line(error)}."
    try:
        answer = strict_json.from_text(_answer(folder))
    except Exception as error:
        yield f"The model does not answer with its privacy record: {_first_line(error)}."
        return
    differences = list(_differences(record.fields, answer, tolerance=0.0))
    for where, was, should in differences:
        yield f"{PRIVACY_FILE} states {where} = {was}, but the model itself answers {should}."
    if differences:
        return
    if record.fields["sentence"] != record.guarantee.sentence():
        yield f"The record's sentence is not that of its fields: {record.guarantee.sentence()}"
    elif not record.canonical:
        yield f"{PRIVACY_FILE} was edited: it is not in the form that tfdpzoo writes."


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


def _derived(guarantee: PrivacyGuarantee) -> dict[str, Any]:
    """What the record repeats for readers, from the fields that it follows from."""
    segments = guarantee.updates.segments
    noise_multiplier = min((each.noise_multiplier for each in segments), default=None)
    return {
        "mechanism": {
            "noise_multiplier": noise_multiplier,
            "noise_standard_deviation": noise_standard_deviation(
                noise_multiplier, guarantee.mechanism.clip_norm
            ),
        },
        "sampling": {
            "sampling_rate": guarantee.sampling.expected_batch / guarantee.sampling.examples
        },
        "updates": {"executed": sum(each.updates for each in segments)},
    }


def _differences(
    stated: Any, expected: Any, where: str = "", *, tolerance: float = _TOLERANCE
) -> Iterator[tuple[str, Any, Any]]:
    """Finds what `stated` says otherwise than `expected`, which may hold fewer fields."""
    if isinstance(expected, dict) and isinstance(stated, dict):
        for name, value in expected.items():
            inner = f"{where}.{name}" if where else name
            yield from _differences(stated.get(name), value, inner, tolerance=tolerance)
    elif isinstance(expected, list) and isinstance(stated, list) and len(expected) == len(stated):
        for index, value in enumerate(expected):
            inner = f"{where}[{index}]"
            yield from _differences(stated[index], value, inner, tolerance=tolerance)
    elif not _agree(stated, expected, tolerance):
        yield where, stated, expected


def _agree(stated: Any, expected: Any, tolerance: float) -> bool:
    if expected is _ANYTHING or stated == expected:
        return True
    numbers = isinstance(stated, float) and isinstance(expected, float)
    return numbers and math.isclose(stated, expected, rel_tol=tolerance)


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line[:_LONGEST_REASON].rstrip(". ")


_ANYTHING = object()
_VERSIONLESS = {"accountant_version": _ANYTHING}

_CHECKPOINT_KEY = re.compile(r"weights/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")
_ESCAPES = re.compile(r"\.\.|\.S")
_ESCAPED = {"..": ".", ".S": "/"}
"""How TensorFlow writes a name as one part of a checkpoint's key."""
