"""What a search has to remember, durably and secretly."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path
from typing import Literal

from tfdpzoo.data import ImageDataset
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json
from tfdpzoo.run_record import digest_of_data
from tfdpzoo.tuning.held_out import held_out_examples
from tfdpzoo.tuning.search_plan import SearchBudget, SearchPlan

_FORMAT: Literal["tfdpzoo search 1"] = "tfdpzoo search 1"


@dataclasses.dataclass(frozen=True)
class SearchState:
    """What all processes of a search have to agree about.

    The number of trials and the secret are drawn once, before the first trial: whoever drew anew
    after a crash would choose the luckier draw.

    Attributes:
        format: Of the file.
        search: The search's identity, random.
        plan: Of privacy.
        trials: How many trials are run. In the random mode this number must not be released, nor
            the name of the winner, which tells of it.
        secret: What settings, split and noise of the scores are drawn from, as hexadecimal digits.
        insecure_seed: The known seed that the secret comes from, for tests; None for a real secret.
        held_out: The share of examples that is held out.
        data_digest: Of the training data before the split, see `digest_of_data`.
        common_digest: Of what the trials have in common, so that a search goes on as it began.
    """

    format: Literal["tfdpzoo search 1"]
    search: str
    plan: SearchPlan
    trials: int
    secret: str
    insecure_seed: int | None
    held_out: float
    data_digest: str
    common_digest: str

    @classmethod
    def read(cls, path: Path) -> SearchState | None:
        """Reads the state of a search that was begun; None where none was.

        Raises:
            InputError: The file is damaged.
        """
        try:
            return strict_json.decode(cls, strict_json.from_text(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"The file {path} cannot be read: {error.strerror}.") from error
        except InputError as error:
            raise InputError(
                f"The file {path} is damaged or was altered; put back what tfdpzoo wrote."
            ) from error

    def write(self, path: Path) -> None:
        """Writes the state; it is on the disk when this returns.

        Raises:
            InputError: It cannot be written.
        """
        text = strict_json.to_text(strict_json.encode(self)) + "\n"
        try:
            replace_durably(path, text.encode())
        except OSError as error:
            raise InputError(f"The file {path} cannot be written: {error.strerror}.") from error

    @property
    def key(self) -> SecretKey:
        """The secret that settings, split and noise of the scores are drawn from."""
        known = self.insecure_seed is not None
        return SecretKey(bytes.fromhex(self.secret), reproducible=known)

    def require_same(self, budget: SearchBudget, common_digest: str) -> None:
        """Checks that a search goes on as it began.

        Raises:
            InputError: The budget or the settings are others.
        """
        if (budget, common_digest) != (self.plan.budget, self.common_digest):
            raise InputError(
                "The search was begun with another budget or other settings; go on with those, or "
                "begin a new search in another folder."
            )

    def require_same_data(self, dataset: ImageDataset) -> None:
        """Checks that the training data are those that the search began with.

        Raises:
            InputError: They are not.
        """
        if digest_of_data(dataset, self.search) != self.data_digest:
            raise InputError(
                f"The training data of {dataset.name} is not what the search began with; put it "
                "back, or begin a new search."
            )


def new_secret(insecure_seed: int | None) -> str:
    """Returns the secret of a search that begins.

    Args:
        insecure_seed: A known seed for tests; None for the operating system's entropy.
    """
    if insecure_seed is None:
        return secrets.token_hex(32)
    return f"{SecretKey.from_seed(insecure_seed).derive('search'):064x}"


def first_state(
    plan: SearchPlan,
    dataset: ImageDataset,
    *,
    secret: str,
    insecure_seed: int | None,
    held_out: float,
    common_digest: str,
) -> SearchState:
    """Draws what has to be drawn once, and describes a search that begins.

    Args:
        plan: Of privacy.
        dataset: All training examples, before the split.
        secret: From `new_secret`.
        insecure_seed: What it was made from.
        held_out: The share of examples that is held out.
        common_digest: Of what the trials have in common.
    """
    law, search = plan.budget.law, secrets.token_hex(16)
    trials = plan.budget.trials or 0
    if law is not None:
        trials = law.draw(insecure_seed)
    return SearchState(
        format=_FORMAT,
        search=search,
        plan=plan,
        trials=trials,
        secret=secret,
        insecure_seed=insecure_seed,
        held_out=held_out,
        data_digest=digest_of_data(dataset, search),
        common_digest=common_digest,
    )


def split_sizes(dataset: ImageDataset, held_out: float, secret: str) -> tuple[int, int]:
    """Returns how many examples are trained on and how many are held out.

    Args:
        dataset: All examples.
        held_out: The share that is held out.
        secret: From `new_secret`.

    Raises:
        InputError: One of the two parts is empty.
    """
    scored = int(held_out_examples(dataset, held_out, SecretKey(bytes.fromhex(secret))).sum())
    return dataset.examples - scored, scored
