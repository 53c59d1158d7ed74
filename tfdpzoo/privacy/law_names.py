"""The names of the laws of a random number of trials, for whoever needs no more of them."""

from __future__ import annotations

LAWS: tuple[str, ...] = ("logarithmic", "geometric", "truncated negative binomial", "poisson")
"""The one with the heaviest tail, and mostly the least cost, first; see `RepetitionLaw`."""
