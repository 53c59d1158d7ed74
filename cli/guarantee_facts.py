"""A privacy record as people read it."""

from __future__ import annotations

from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.reservations import reservations
from tfdpzoo.privacy.search import Search
from tfdpzoo.privacy.statement import round_up, scientific


def guarantee_rows(guarantee: PrivacyGuarantee) -> list[tuple[str, str]]:
    """Returns the names and values of a record's main fields, for people.

    Args:
        guarantee: The record.
    """
    sampling, mechanism = guarantee.sampling, guarantee.mechanism
    clip, noise = mechanism.clip_norm, mechanism.noise_multiplier
    rows = [
        ("epsilon", f"{round_up(guarantee.epsilon)} (rounded up)"),
        ("delta", scientific(guarantee.delta)),
        ("protects", f"one {guarantee.unit.unit}: {guarantee.relation.meaning}"),
        ("of a person", guarantee.unit.user_level_claim),
        ("released", guarantee.setting.released_output),
        ("trusted", guarantee.setting.trusted_party),
        ("mechanism", mechanism.name),
        ("clip norm C", "none" if clip is None else f"{clip:g}"),
        ("noise multiplier", "none" if noise is None else f"sigma = {noise:.4f}"),
        (
            "sampling",
            f"{sampling.scheme}, {sampling.expected_batch:,} of {sampling.examples:,} examples an "
            "update on average",
        ),
        ("updates", f"{guarantee.updates.executed:,}"),
    ]
    for result in guarantee.results:
        assumption = "" if result.assumption_holds else ", without amplification by sampling"
        whose = "" if guarantee.tuning.search is None else f"{result.covers} "
        name = f"{whose}by {result.accountant}{assumption}"
        rows.append((name, f"epsilon {round_up(result.epsilon)}"))
    rows += _search_rows(guarantee.tuning.search)
    rows += [("tuning", guarantee.tuning.statement), ("not covered", guarantee.setting.not_covered)]
    rows += [("weakens it", reservation) for reservation in reservations(guarantee)]
    rows.append(("weights", guarantee.provenance.weights_sha256 or "not named"))
    return rows


def _search_rows(search: Search | None) -> list[tuple[str, str]]:
    if search is None:
        return []
    trials = (
        f"a secret number, from {search.law.description}" if search.law else f"{search.trials:,}"
    )
    return [
        ("search", search.mode),
        ("trials", trials),
        ("one trial", f"epsilon {round_up(search.trial_epsilon)}"),
        ("all in all", f"epsilon {round_up(search.total_epsilon)}"),
    ]
