"""The estimate for many GPUs: its parts shrink and grow as they must."""

from __future__ import annotations

import pytest

from benchmarks.scaling import FIXED_SECONDS, WORKLOADS, estimate


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each.model)
def test_parts_of_an_update(workload) -> None:
    one, eight, many = (estimate(workload, gpus) for gpus in (1, 8, 64))

    assert one.adding_up == 0
    assert one.computing == pytest.approx(8 * eight.computing) == pytest.approx(64 * many.computing)
    assert 0 < eight.adding_up < many.adding_up
    assert one.seconds > eight.seconds > many.seconds > FIXED_SECONDS
