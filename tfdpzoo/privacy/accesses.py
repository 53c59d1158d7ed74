"""What happened to the private examples outside of the recorded run, as far as anybody says.

An epsilon covers one training run, or the whole search that the run was chosen from. Whatever else
was done with the same examples costs privacy of its own, so a record lists it access by access and
says of each that it is not in epsilon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.privacy.declarations import DECLARATIONS, DECLARED
from tfdpzoo.privacy.search import Search
from tfdpzoo.privacy.search_description import describe_search

TuningKind = Literal["none", "public", "accounted", "not accounted"]

_NOT_ACCOUNTED = (
    "not accounted: choosing hyper-parameters, the architecture or the best of several runs with "
    "these examples costs privacy that is not in this epsilon"
)


@dataclass(frozen=True)
class Tuning:
    """How the settings of the run were chosen.

    Attributes:
        kind: `none` where nothing was chosen by means of these examples, `public` where it was
            chosen on public data alone, `accounted` where they were chosen by a search whose whole
            cost is in epsilon, `not accounted` where nobody says, or the cost of it is not in
            epsilon.
        declared_by_trainer: Whether that is the trainer's word, which nothing in a record proves.
        runs: How many runs on these examples this one was chosen from; null where nobody says, or
            where the number has to stay secret.
        statement: The same in words.
        search: The search whose cost is in epsilon; null where the kind is another than
            `accounted`.

    Example:
        >>> Tuning.declared("public").statement[:51]
        'declared by the trainer: hyper-parameters, architec'
    """

    kind: TuningKind
    declared_by_trainer: bool
    runs: int | None
    statement: str
    search: Search | None = None

    def __post_init__(self) -> None:
        if (self.search is not None) != (self.kind == "accounted"):
            raise InputError(
                "The tuning of a privacy record has a search exactly if it is 'accounted', not if "
                f"it is {self.kind!r}."
            )
        if self.declared_by_trainer != (self.kind in DECLARED):
            raise InputError(
                f"The tuning {self.kind!r} of a privacy record is the trainer's declaration exactly"
                f" if it is {' or '.join(map(repr, DECLARATIONS))}."
            )

    @classmethod
    def unknown(cls) -> Tuning:
        """Returns what is recorded where the trainer declares nothing."""
        return cls("not accounted", declared_by_trainer=False, runs=None, statement=_NOT_ACCOUNTED)

    @classmethod
    def accounted(cls, search: Search) -> Tuning:
        """Returns what is recorded of a search whose cost is in epsilon.

        Args:
            search: From `account_search`. The number of trials of a random search, and which of
                them was the best, must never come into a record: its guarantee averages over them.
        """
        return cls(
            "accounted",
            declared_by_trainer=False,
            runs=search.trials,
            statement=describe_search(search),
            search=search,
        )

    @classmethod
    def declared(cls, kind: str | None) -> Tuning:
        """Returns what is recorded for a trainer's declaration.

        Args:
            kind: One of `DECLARATIONS`; None for no declaration.

        Raises:
            InputError: There is no such declaration.
        """
        if kind is None:
            return cls.unknown()
        if kind == "none":
            return cls("none", declared_by_trainer=True, runs=1, statement=DECLARED[kind])
        if kind == "public":
            return cls("public", declared_by_trainer=True, runs=None, statement=DECLARED[kind])
        raise unknown_name("declaration of tuning", kind, DECLARATIONS)

    @classmethod
    def of(cls, kind: TuningKind, search: Search | None) -> Tuning:
        """Returns what is recorded for a kind.

        Args:
            kind: Any.
            search: The search exactly of the kind `accounted`.
        """
        if search is not None:
            return cls.accounted(search)
        return cls.declared(None if kind == "not accounted" else kind)


@dataclass(frozen=True)
class OtherAccess:
    """A way in which the same examples may have been used outside of the run.

    Attributes:
        name: Of the access.
        in_epsilon: Whether the epsilon of the record covers it.
        statement: What is known of it.
    """

    name: str
    in_epsilon: bool
    statement: str


OTHER_ACCESSES = (
    OtherAccess(
        "statistics of the examples",
        False,
        "not accounted, if there were any: a normalisation or an initialisation that was computed "
        "from these examples; `tfdpzoo train` normalises by constants that do not depend on them",
    ),
    OtherAccess(
        "architecture search",
        False,
        "not accounted, unless the field tuning declares otherwise or accounts for it: a choice of "
        "the architecture by what these examples show",
    ),
    OtherAccess(
        "early stopping",
        False,
        "not accounted, if there was any: an end of training that these examples decided; "
        "`tfdpzoo train` ends when the plan ends, when it is told to, or when losses are not "
        "finite",
    ),
    OtherAccess(
        "selection of checkpoints and runs",
        False,
        "not accounted, unless the field tuning declares otherwise or accounts for it: a choice "
        "among checkpoints or runs by what these examples show",
    ),
    OtherAccess(
        "exploration and earlier runs",
        False,
        "not accounted, if there were any: looking at these examples, or training on them before",
    ),
    OtherAccess(
        "other releases",
        False,
        "not accounted, if there were any: other models or numbers that were made from these "
        "examples; their privacy losses add up, for which renyi is recorded",
    ),
)
"""What a record lists; none of it is in epsilon."""


@dataclass(frozen=True)
class PreTraining:
    """What the weights were before the first private update.

    Attributes:
        dataset: What they were pre-trained on; null where nothing is declared.
        public: Whether that is public data; null where nothing is declared.
        statement: The same in words.
    """

    dataset: str | None = None
    public: bool | None = None
    statement: str = (
        "none declared: the weights before the first update are taken not to depend on these "
        "examples"
    )
