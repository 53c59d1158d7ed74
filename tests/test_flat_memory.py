"""A run on ten times more data than its limit takes no more memory than on little data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LIMIT = 16 * 2**20
SIDE = 384
IMAGE = 3 * SIDE * SIDE
LITTLE, MUCH = LIMIT // IMAGE + 6, 10 * LIMIT // IMAGE + 6


def write(root: Path, images: int) -> Path:
    """Writes a folder of so many images, a third of them for testing."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    original = root.with_suffix(".png")
    Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.NEAREST).save(original)
    for number in range(images):
        folder = root / ("test" if number % 3 == 0 else "train") / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        os.link(original, folder / f"{number:04d}.png")
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is in other units")
def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    sizes = {"little": LITTLE, "much": MUCH}
    folders = [write(tmp_path / name, images) for name, images in sizes.items()]
    script = Path(__file__).with_name("peaks_of_memory.py")

    found = subprocess.run(
        [sys.executable, script, f"{LIMIT}B", *folders],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )

    assert found.returncode == 0, found.stderr
    little, much = map(int, found.stdout.split())
    # Data in memory would be ten limits; each run leaves its graphs behind, however much it reads.
    assert much - little < 3 * LIMIT, found.stdout
