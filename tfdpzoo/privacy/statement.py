"""The sentence of a guarantee, generated from the record and from nothing else.

The wording belongs to the schema version of the record: verification generates the sentence again
and compares. Whoever changes the wording raises the schema version.
"""

from __future__ import annotations

import decimal
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfdpzoo.privacy.guarantee import PrivacyGuarantee
    from tfdpzoo.privacy.search import Search

_EXACT = decimal.Context(prec=400)
"""Enough digits for any float; the default context gives up on a privacy loss above 1e26."""


def round_up(value: float, digits: int = 2) -> str:
    """Prints a positive number with `digits` decimals, never smaller than it is.

    A number below 0.01 keeps two significant digits instead. Privacy losses are printed with this:
    rounding down would claim more privacy than was proved.

    Args:
        value: 0 or more.
        digits: Digits after the point.

    Example:
        >>> round_up(6.991), round_up(7.0), round_up(0.001234), round_up(0.0)
        ('7.00', '7.00', '0.0013', '0.00')
    """
    exact = decimal.Decimal(value)
    last = -digits
    if 0 < value < 10.0**-digits:
        last = exact.adjusted() - 1
    rounded = exact.quantize(decimal.Decimal(1).scaleb(last), decimal.ROUND_CEILING, _EXACT)
    return f"{rounded:f}"


def scientific(value: float) -> str:
    """Prints a delta with at most three significant digits, never smaller than it is.

    Example:
        >>> scientific(1e-5), scientific(1 / 60_000)
        ('1e-5', '1.67e-5')
    """
    exact = decimal.Decimal(repr(value))
    last = exact.adjusted() - 2
    rounded = exact.quantize(decimal.Decimal(1).scaleb(last), decimal.ROUND_CEILING, _EXACT)
    return f"{rounded.normalize():e}"


def sentence(guarantee: PrivacyGuarantee) -> str:
    """Says for people what the record says; an invalid guarantee says so first."""
    if math.isinf(guarantee.epsilon):
        return f"No privacy guarantee: epsilon is infinite. {_reasons(guarantee)}"
    if guarantee.valid:
        return f"{_capitalized(_claim(guarantee))} {_coverage(guarantee)}"
    return (
        f"Not a valid privacy guarantee. {_reasons(guarantee)} "
        f"Otherwise this would hold: {_claim(guarantee)} {_coverage(guarantee)}"
    )


def _claim(guarantee: PrivacyGuarantee) -> str:
    search = guarantee.tuning.search
    released = guarantee.setting.released_output
    what = f"{released} of this model" if search is None else released
    part = "" if search is None else "training or held-out "
    return (
        f"{what} are differentially private with "
        f"epsilon = {round_up(guarantee.epsilon)} (rounded up) and "
        f"delta = {scientific(guarantee.delta)}, where neighbouring data sets differ by "
        f"{_RELATIONS[guarantee.relation.name]} {part}{guarantee.unit.unit}."
    )


def _coverage(guarantee: PrivacyGuarantee) -> str:
    search = guarantee.tuning.search
    covered = _run(guarantee) if search is None else _search(search)
    return (
        f"It covers the {covered}; it does not "
        f"cover {_NOT_COVERED[guarantee.tuning.kind]}, and makes no claim for a person with more "
        f"than one {guarantee.unit.unit}.{_DECLARATIONS[guarantee.tuning.kind]}{_secrets(search)}"
    )


def _run(guarantee: PrivacyGuarantee) -> str:
    executed = guarantee.updates.executed
    updates = "1 update that was" if executed == 1 else f"{executed:,} updates that were"
    return f"{updates} executed with Poisson sampling, by PLD accounting"


def _search(search: Search) -> str:
    model = "the best trial" if search.released == "the best trial" else "one trial"
    if search.law is None:
        number = f"{search.trials:,}"
    else:
        number = f"a secret number, from {search.law.description}, of"
    most = f" of at most {search.trial.updates:,} updates each" if search.bound == "exact" else ""
    return (
        f"search for settings of which this model is {model}: {number} trials{most} with Poisson "
        f"sampling and their noised scores, by {'PLD' if search.by_pld else 'RDP'} accounting"
    )


def _secrets(search: Search | None) -> str:
    if search is None or search.law is None:
        return ""
    return (
        " It holds only while the number of trials, how long the search took and all other trials "
        "stay secret."
    )


def _reasons(guarantee: PrivacyGuarantee) -> str:
    return " ".join(f"Reason: {weakness}." for weakness in guarantee.weaknesses)


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


_NOT_COVERED = {
    "not accounted": "hyper-parameter tuning or other uses of the same data",
    "none": "other uses of the same data",
    "public": "other uses of the same data",
    "accounted": "other uses of the same data",
}
_DECLARATIONS = {
    "not accounted": "",
    "none": " The trainer declares, without proof, that nothing was tuned on this data.",
    "public": " The trainer declares, without proof, that all tuning was done on public data.",
    "accounted": "",
}
_RELATIONS = {"ADD_OR_REMOVE_ONE": "adding or removing one"}
