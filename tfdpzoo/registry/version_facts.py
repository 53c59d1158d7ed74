"""What a list of models tells of one version, read from its own files.

It is what the files say. Whether that is true is for `tfdpzoo.verification` to find out, which
takes seconds for each version.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import printable
from tfdpzoo.privacy.strict_json import Epsilon

if TYPE_CHECKING:
    from tfdpzoo.model_facts import ModelFacts
    from tfdpzoo.privacy.guarantee import PrivacyGuarantee
    from tfdpzoo.version_folder import PrivacyFile

_ACCURACY = "accuracy"


@dataclass(frozen=True)
class VersionFacts:
    """What the files of a version say; None for what they do not.

    Attributes:
        epsilon: The privacy loss at `delta`, by the record. It is no claim unless `valid`.
        delta: The delta of the record.
        valid: Whether the record lists no weakness.
        accuracy: On the test images.
        parameters: How many numbers the network holds.
        model: The architecture.
        recipe: The recipe's name.
        dataset: The data set's name.
        date: When the record was made, in ISO 8601.
        digest: The SHA-256 digest of `privacy.json`, which itself lists the digests of all other
            files: two versions with one digest are the same.
    """

    epsilon: Epsilon
    delta: float
    valid: bool
    accuracy: float | None
    parameters: int | None
    model: str | None
    recipe: str | None
    dataset: str | None
    date: str
    digest: str

    @classmethod
    def read(cls, folder: Path) -> VersionFacts:
        """Reads the facts of a version.

        Args:
            folder: The version's folder.

        Raises:
            InputError: A file is missing, damaged, or not the one that the record lists.
        """
        # The privacy records take a second to import, which a list from the cache does not need.
        from tfdpzoo.model_facts import ModelFacts
        from tfdpzoo.version_folder import read_privacy_file

        record = read_privacy_file(folder)
        _require_recorded(folder, record)
        digest = hashlib.sha256(record.content).hexdigest()
        return cls._of(record.guarantee, ModelFacts.read(folder), digest)

    @classmethod
    def _of(
        cls, guarantee: PrivacyGuarantee, network: ModelFacts | None, digest: str
    ) -> VersionFacts:
        evaluation = guarantee.evaluation
        metrics = {each.name: each.value for each in evaluation.metrics} if evaluation else {}
        training = network.training if network else None
        return cls(
            epsilon=guarantee.epsilon,
            delta=guarantee.delta,
            valid=guarantee.valid,
            accuracy=metrics.get(_ACCURACY),
            parameters=network.parameters if network else None,
            model=printable(training.model) if training else None,
            recipe=printable(training.recipe) if training else None,
            dataset=printable(training.dataset) if training else None,
            date=printable(guarantee.provenance.date),
            digest=digest,
        )


def _require_recorded(folder: Path, record: PrivacyFile) -> None:
    """Checks the small files of the version, which is quick, and that the others are there."""
    from tfdpzoo.model_facts import FACTS_FILE
    from tfdpzoo.version_folder import PRIVACY_FILE

    for name in record.files:
        if not os.path.isfile(folder / name):
            raise InputError(f"The file {name} is missing.")
    try:
        found = hashlib.sha256((folder / FACTS_FILE).read_bytes()).hexdigest()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{FACTS_FILE} cannot be read: {error.strerror}.") from error
    if record.files.get(FACTS_FILE) != found:
        raise InputError(
            f"The file {FACTS_FILE} was altered: it does not have the digest in {PRIVACY_FILE}."
        )
