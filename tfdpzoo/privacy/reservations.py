"""What weakens an honest claim: reasons not to take a model's epsilon at its face.

A record that nobody altered may still say little: that its guarantee is invalid, that the settings
were tuned nobody knows how, that the code is not known. `tfdpzoo verify --strict` fails on each of
these reasons, and model cards list them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tfdpzoo.privacy.guarantee import PrivacyGuarantee


def reservations(guarantee: PrivacyGuarantee, *, files_checked: bool = True) -> tuple[str, ...]:
    """Returns every reason that weakens the claim of a record, each a sentence.

    Args:
        guarantee: The record.
        files_checked: Whether the model's files were compared with the record, which a served
            model does not allow.
    """
    found = [*_of_the_claim(guarantee), *_of_the_run(guarantee), *_of_the_provenance(guarantee)]
    if not files_checked:
        found.append(
            "The weights behind the server were not seen: that they are those of the record is the "
            "server's word."
        )
    return tuple(found)


def _of_the_claim(guarantee: PrivacyGuarantee) -> Iterator[str]:
    for weakness in guarantee.weaknesses:
        yield f"The guarantee is not valid: {weakness}."
    if math.isinf(guarantee.epsilon) and guarantee.valid:
        yield "No finite epsilon is claimed."
    if not guarantee.results[0].assumption_holds:
        yield "The sampling that the epsilon assumes did not take place."
    audit = guarantee.audit
    if audit is not None and audit.epsilon_lower_bound > guarantee.epsilon:
        yield (
            f"An audit found that epsilon is at least {audit.epsilon_lower_bound:g}, which is more "
            "than the record claims."
        )


def _of_the_run(guarantee: PrivacyGuarantee) -> Iterator[str]:
    planned, executed = guarantee.updates.planned, guarantee.updates.executed
    if executed != planned:
        yield f"{executed:,} updates were executed, not the {planned:,} that were planned."
    if guarantee.tuning.kind == "not accounted":
        yield (
            "How the settings were chosen is neither accounted nor declared; tuning on the same "
            "data would cost privacy that is not in epsilon."
        )
    if guarantee.pre_training.public is False:
        yield "The weights were pre-trained on data that is not public."


def _of_the_provenance(guarantee: PrivacyGuarantee) -> Iterator[str]:
    provenance = guarantee.provenance
    if provenance.commit is None:
        yield "The commit of the code that trained is not known."
    elif provenance.commit.endswith("-dirty"):
        yield f"The code that trained is not that of a commit: {provenance.commit}."
    if provenance.weights_sha256 is None:
        yield "The record is bound to no weights: it has no digest of them."
