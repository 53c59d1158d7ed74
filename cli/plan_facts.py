"""A privacy plan as people and scripts read it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.privacy import accounting
from tfdpzoo.privacy.statement import round_up

NEIGHBORING_RELATION = accounting.NEIGHBORING_RELATION.name


@dataclass(frozen=True)
class PlanEpsilons:
    """What different accountants say about a plan.

    Attributes:
        by_pld: The guarantee.
        by_rdp: An independent derivation, looser.
        without_amplification: If only the noise is believed and not the sampling; what shuffled
            batches could claim.
    """

    by_pld: float
    by_rdp: float
    without_amplification: float

    @classmethod
    def of(cls, plan: PrivacyPlan) -> PlanEpsilons:
        """Computes them; takes up to a second."""
        event = plan.dp_event()
        # 30 epochs with a rounding error are 30 passes and not 31.
        passes = math.ceil(plan.epochs * (1 - 1e-12))
        return cls(
            by_pld=accounting.epsilon_by_pld(event, plan.delta),
            by_rdp=accounting.epsilon_by_rdp(event, plan.delta),
            without_amplification=accounting.epsilon_without_amplification(
                plan.noise_multiplier, passes, plan.delta
            ),
        )


def plan_rows(plan: PrivacyPlan) -> list[tuple[str, str]]:
    """Returns the names and values of a plan, for people."""
    epsilons = PlanEpsilons.of(plan)
    return [
        ("neighbouring data", "differ by adding or removing one example"),
        (
            "sampling",
            f"Poisson, {plan.batch_size:,} of {plan.examples:,} examples an update on average "
            f"(q = {plan.sampling_rate:.4g})",
        ),
        ("updates", f"{plan.updates:,} ({plan.epochs:.4g} epochs)"),
        ("clip norm C", f"{plan.clip_norm:g}"),
        ("noise multiplier", f"sigma = {plan.noise_multiplier:.4f}"),
        ("epsilon by PLD", f"{_shown(epsilons.by_pld)} at delta {plan.delta:g}: the guarantee"),
        ("epsilon by RDP", f"{_shown(epsilons.by_rdp)}: an independent derivation, looser"),
        (
            "no amplification",
            f"{_shown(epsilons.without_amplification)}: what shuffled batches could claim",
        ),
    ]


def plan_fields(plan: PrivacyPlan) -> dict[str, Any]:
    """Returns a plan as JSON fields."""
    epsilons = PlanEpsilons.of(plan)
    return {
        **dataclasses.asdict(plan),
        "sampling_rate": plan.sampling_rate,
        "epochs": plan.epochs,
        "neighboring_relation": NEIGHBORING_RELATION,
        "epsilon_by_pld": epsilons.by_pld,
        "epsilon_by_rdp": epsilons.by_rdp,
        "epsilon_without_amplification": epsilons.without_amplification,
    }


def _shown(epsilon: float) -> str:
    return round_up(epsilon, 3) if math.isfinite(epsilon) else "infinity"
