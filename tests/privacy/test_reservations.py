"""What weakens a claim: each reason by itself, and none where there is none."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from searches import random_search
from stand_in import guarantee_with

from tfdpzoo.privacy.accesses import PreTraining, Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.provenance import Provenance
from tfdpzoo.privacy.record import EmpiricalAudit, Status, Updates
from tfdpzoo.privacy.reservations import reservations

CLEAN = dataclasses.replace(Provenance.current(), commit="ab" * 20, weights_sha256="cd" * 32)


@pytest.fixture(scope="module")
def honest() -> PrivacyGuarantee:
    """A record that nothing speaks against."""
    return guarantee_with(tuning=Tuning.declared("none"), provenance=CLEAN)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tuning": Tuning.declared("public")},
        {"tuning": Tuning.accounted(random_search())},
        {"pre_training": PreTraining("ImageNet", True, "public")},
        {"audit": EmpiricalAudit("canaries", 100, 0.5, 0.95)},
    ],
)
def test_a_record_that_nothing_speaks_against_has_none(
    honest: PrivacyGuarantee, changes: dict[str, Any]
) -> None:
    assert reservations(dataclasses.replace(honest, **changes)) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"status": Status(False, ("the seed was fixed",))},
            "The guarantee is not valid: the seed was fixed.",
        ),
        (
            {"updates": Updates(1_021, 20, ())},
            "20 updates were executed, not the 1,021 that were planned.",
        ),
        (
            {"tuning": Tuning.unknown()},
            "How the settings were chosen is neither accounted nor declared; tuning on the same "
            "data would cost privacy that is not in epsilon.",
        ),
        (
            {"pre_training": PreTraining("clinic", False, "private")},
            "The weights were pre-trained on data that is not public.",
        ),
        (
            {"audit": EmpiricalAudit("canaries", 100, 4.5, 0.95)},
            "An audit found that epsilon is at least 4.5, which is more than the record claims.",
        ),
        (
            {"provenance": dataclasses.replace(CLEAN, commit=None)},
            "The commit of the code that trained is not known.",
        ),
        (
            {"provenance": dataclasses.replace(CLEAN, commit="ab-dirty")},
            "The code that trained is not that of a commit: ab-dirty.",
        ),
        (
            {"provenance": dataclasses.replace(CLEAN, weights_sha256=None)},
            "The record is bound to no weights: it has no digest of them.",
        ),
    ],
)
def test_every_reason_is_a_sentence(
    honest: PrivacyGuarantee, changes: dict[str, Any], reason: str
) -> None:
    assert reservations(dataclasses.replace(honest, **changes)) == (reason,)


def test_files_that_were_not_seen_are_a_reason(honest: PrivacyGuarantee) -> None:
    assert reservations(honest, files_checked=False) == (
        "The weights behind the server were not seen: that they are those of the record is the "
        "server's word.",
    )


def test_reasons_add_up() -> None:
    """Those that the numbers show are among the weaknesses."""
    weak = guarantee_with(
        segments=[Segment(0.0, 0.1, 20)],
        planned_updates=21,
        target_epsilon=None,
        weaknesses=["the seed was fixed"],
        provenance=CLEAN,
    )
    assert [each[:40] for each in reservations(weak)] == [
        "The guarantee is not valid: the seed was",
        "The guarantee is not valid: no finite ep",
        "20 updates were executed, not the 21 tha",
        "How the settings were chosen is neither ",
    ]


def test_a_record_that_lies_about_itself_is_not_believed(honest: PrivacyGuarantee) -> None:
    endless = dataclasses.replace(honest, claim=dataclasses.replace(honest.claim, epsilon=math.inf))
    row = dataclasses.replace(honest.results[0], assumption_holds=False)
    shuffled = dataclasses.replace(honest, results=(row, *honest.results[1:]))
    assert reservations(endless) == ("No finite epsilon is claimed.",)
    assert reservations(shuffled) == ("The sampling that the epsilon assumes did not take place.",)
