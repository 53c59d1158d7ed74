"""The laws of the number of trials, against definition 1 of Papernot and Steinke 2022."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from scipy import optimize, stats
from searches import LAWS

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.repetition import RepetitionLaw

DRAWS = 4_000
EXTREMES = (
    RepetitionLaw("logarithmic", 1.01),
    RepetitionLaw("logarithmic", 10_000.0),
    RepetitionLaw("geometric", 1.01),
    RepetitionLaw("geometric", 10_000.0),
    RepetitionLaw("poisson", 1.01),
    RepetitionLaw("poisson", 10_000.0),
    RepetitionLaw("truncated negative binomial", 1.01, 0.01),
    RepetitionLaw("truncated negative binomial", 10_000.0, 0.01),
    RepetitionLaw("truncated negative binomial", 1.01, 100.0),
    RepetitionLaw("truncated negative binomial", 10_000.0, 100.0),
)


def probabilities(law: RepetitionLaw) -> Iterator[float]:
    """Of 0, 1, 2 and so on, written out from the paper's definition."""
    if law.name == "poisson":
        yield from (math.exp(-law.mean) * law.mean**k / math.factorial(k) for k in range(150))
        return
    eta = {"logarithmic": 0.0, "geometric": 1.0}.get(law.name, law.shape)

    def mean(gamma: float) -> float:
        if eta == 0:
            return (1 / gamma - 1) / math.log(1 / gamma)
        return eta * (1 - gamma) / (gamma * (1 - gamma**eta))

    gamma = optimize.bisect(lambda each: mean(each) - law.mean, 1e-6, 1 - 1e-6, xtol=1e-15)
    yield 0.0
    coefficient = 1.0
    for k in range(1, 5_000):
        if eta == 0:
            yield (1 - gamma) ** k / (k * math.log(1 / gamma))
        else:
            coefficient *= (k - 1 + eta) / k
            yield (1 - gamma) ** k / (gamma**-eta - 1) * coefficient


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_the_law_has_the_mean_that_is_recorded(law: RepetitionLaw) -> None:
    chances = list(probabilities(law))
    assert sum(chances) == pytest.approx(1, rel=1e-9)
    assert sum(k * chance for k, chance in enumerate(chances)) == pytest.approx(law.mean, rel=1e-9)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_every_number_takes_the_share_that_is_its_probability(law: RepetitionLaw) -> None:
    """At the middle of a number's share, so that rounding at the ends does not matter."""
    below = 0.0
    for k, chance in enumerate(probabilities(law)):
        if chance > 1e-9:
            assert law.quantile(below + chance / 2) == k
        below += chance
        if below > 1 - 1e-6:
            break


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_draws_follow_the_law(law: RepetitionLaw) -> None:
    """Chi-square with fixed seeds: a true law is that far off once in a thousand times."""
    drawn = [law.draw(seed) for seed in range(DRAWS)]
    chances = list(probabilities(law))
    expected, observed, first = [], [], 0
    while first < len(chances) and DRAWS * sum(chances[first:]) > 20:
        last = first
        while DRAWS * sum(chances[first : last + 1]) < 20:
            last += 1
        expected.append(DRAWS * sum(chances[first : last + 1]))
        observed.append(sum(first <= each <= last for each in drawn))
        first = last + 1
    expected[-1] += DRAWS - sum(expected)
    observed[-1] += DRAWS - sum(observed)
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    assert len(expected) > 10


def test_draws_without_a_seed_differ() -> None:
    """Twenty equal draws come by chance once in 10 to the power of 30."""
    law = RepetitionLaw("geometric", 1_000.0)
    assert len({law.draw() for _ in range(20)}) > 1


@pytest.mark.parametrize("law", EXTREMES, ids=lambda law: f"{law.name} {law.mean:g}")
def test_the_ends_of_the_ranges_have_quantiles(law: RepetitionLaw) -> None:
    """As far as a generator's numbers reach, from 0 to 1 - 2 to the power of -53."""
    quantiles = [law.quantile(share) for share in (0.0, 0.5, 0.999, 1 - 2**-53)]
    assert quantiles == sorted(quantiles)
    assert quantiles[0] == (0 if law.may_be_none else 1)
    assert law.mean < quantiles[-1] < 1e7


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("uniform", 10.0), "no law of the number of trials named 'uniform'"),
        (("geometric", 1.0), "mean number of trials must be from 1.01 to 10,000, not 1.0"),
        (("geometric", math.nextafter(1, 2)), "mean number of trials must be from 1.01"),
        (("geometric", math.nan), "mean number of trials must be from 1.01 to 10,000, not nan"),
        (("geometric", 10_001.0), "mean number of trials must be from 1.01 to 10,000, not 10001.0"),
        (("geometric", 10.0, 1.0), "no other law takes one"),
        (("truncated negative binomial", 10.0), "needs a shape, such as 0.5"),
        (("truncated negative binomial", 10.0, 0.0), "from 0.01 to 100, not 0.0"),
        (("truncated negative binomial", 10.0, math.nan), "from 0.01 to 100, not nan"),
    ],
)
def test_laws_out_of_their_range_are_refused(fields: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RepetitionLaw(*fields)
