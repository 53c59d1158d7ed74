"""What was measured of one contender, and how two of them compare."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measurement:
    """The steps of a contender, or why there are none.

    Attributes:
        contender: Its name.
        batch: Examples in a step.
        seconds: The time of each step, in the order of the rounds.
        peak_mb: The most memory in use, in millions of bytes: of the process with everything that
            it has loaded, or of the GPU where one computes.
        parameters: How many numbers it trains.
        device: What computed.
        chunk: How many examples were differentiated at once, where the contender has chunks.
        versions: Versions of its packages.
        failure: Why it was not measured; empty if it was.
    """

    contender: str
    batch: int
    seconds: Sequence[float] = ()
    peak_mb: float | None = None
    parameters: int | None = None
    device: str = ""
    chunk: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def median_seconds(self) -> float | None:
        """The median of the steps; None without any."""
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def slow_seconds(self) -> float | None:
        """The 95th percentile of the steps; None with fewer than 20, which have none."""
        if len(self.seconds) < 20:
            return None
        return statistics.quantiles(self.seconds, n=20, method="inclusive")[-1]

    @property
    def examples_a_second(self) -> float | None:
        """The batch divided by the median of the steps; None without any."""
        seconds = self.median_seconds
        return self.batch / seconds if seconds else None

    @property
    def milliseconds_an_example(self) -> float | None:
        """The median of the steps divided by the batch; None without any."""
        seconds = self.median_seconds
        return None if seconds is None else 1e3 * seconds / self.batch

    def ratio_to(self, other: Measurement) -> float | None:
        """Returns the median of the ratios to another contender's steps of the same rounds."""
        pairs = list(zip(self.seconds, other.seconds, strict=False))
        return statistics.median(own / its for own, its in pairs) if pairs else None
