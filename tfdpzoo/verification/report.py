"""What a verification found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.foreign_text import printable
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.reservations import reservations


@dataclass(frozen=True)
class VerificationReport:
    """What `verify` found.

    Attributes:
        subject: What was verified, for people.
        path: The version's folder; None for a served model, and for a zip, whose folder is gone.
        ok: Whether nothing is missing, altered or miscalculated. It does not say that the guarantee
            is a good one: an honest record of an invalid guarantee verifies, see `reservations`.
        problems: One sentence for each problem.
        guarantee: The record, if it could be read.
        recomputed_epsilon: Epsilon by PLD from the record's own updates, if the record is the one
            that was written.
        files_checked: Whether the model's files and weights were seen, which a served model does
            not show.
        signer: The fingerprint of the key that signed the record; None without a signature.
    """

    subject: str
    path: Path | None
    ok: bool
    problems: tuple[str, ...]
    guarantee: PrivacyGuarantee | None
    recomputed_epsilon: float | None
    files_checked: bool = True
    signer: str | None = None

    def __post_init__(self) -> None:
        # They quote names of files and texts of records that anybody may have made.
        object.__setattr__(self, "problems", tuple(map(printable, self.problems)))

    @property
    def reservations(self) -> tuple[str, ...]:
        """What weakens the claim although nothing was altered; see `privacy/reservations.py`."""
        if self.guarantee is None:
            return ()
        return reservations(self.guarantee, files_checked=self.files_checked)
