"""What `python -m benchmarks.step` promises to whoever reads its output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def step(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.step", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_json_of_two_pairs():
    """A batch above the chunk, so that there is an ordinary step at the chunk's size as well."""
    done = step("--batch", "4", "--chunk", "2", "--pairs", "2", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["parameters"] == 601_069
    assert (summary["model"], summary["batch"], summary["chunk"], summary["pairs"]) == (
        "smoothnet-w80d10",
        4,
        2,
        2,
    )
    for name in ("nonprivate", "private", "nonprivate_at_chunk"):
        assert 0 < summary[f"{name}_s"] < 60
        # TensorFlow alone takes some hundred.
        assert 200 < summary[f"{name}_peak_mb"] < 8_000
    # Of two pairs, the median of the ratios lies between the extremes of the times' ratios.
    assert 0 < summary["ratio"] < 1_000
    assert summary["versions"].keys() == {"tensorflow", "keras"}


def test_unknown_model_is_one_sentence():
    done = step("--model", "smoothnet-w80d11")
    assert done.returncode == 2
    assert "'smoothnet-w80d11' is not one of 'smoothnet-w80d10'" in done.stderr
