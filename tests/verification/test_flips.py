"""Whatever byte of weights, graph or record is changed, verification finds it, and fast."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest
from stand_in import StandIn

from tfdpzoo.saved_model import export
from tfdpzoo.signature import new_key, read_private_key, read_public_key
from tfdpzoo.signing import sign
from tfdpzoo.verification import verify

WEIGHTS = ("variables/variables.data-00000-of-00001", "variables/variables.index")
GRAPH = ("saved_model.pb", "fingerprint.pb")
RECORD = "assets.extra/privacy.json"
FOR_PEOPLE = ("assets.extra/classes.json", "assets.extra/model.json")
SIGNATURE = "assets.extra/privacy.sig.json"

_SECONDS_WITHOUT_LOADING = 0.05
"""Of the processor. A few milliseconds were measured; loading the model takes 60 to 100."""


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "trainer.pem"
    new_key(path)
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(StandIn(), tmp_path_factory.mktemp("models") / "1", class_names="abcd")


def flipped(path: Path, generator: random.Random) -> bytes:
    """Changes one bit or one whole byte of a file; returns what it was."""
    intact = path.read_bytes()
    altered = bytearray(intact)
    mask = generator.choice([1 << generator.randrange(8), generator.randint(1, 255)])
    altered[generator.randrange(len(altered))] ^= mask
    path.write_bytes(altered)
    return intact


def found(folder: Path, names: tuple[str, ...], flips: int, **options: object) -> float:
    """Requires that every flip is found; returns how many seconds of the processor one takes."""
    generator = random.Random(" ".join(names))
    began = time.process_time()
    for _ in range(flips):
        path = folder / generator.choice(names)
        intact = flipped(path, generator)
        report = verify(folder, **options)
        assert not report.ok, f"{path.name}: {report}"
        assert all(problem.endswith(".") for problem in report.problems)
        path.write_bytes(intact)
    return (time.process_time() - began) / flips


def test_a_thousand_flips_are_found(exported: Path, tmp_path: Path) -> None:
    """Weights and graph by their digests; the record by its form or the model's own answer."""
    copy = Path(shutil.copytree(exported, tmp_path / "1"))
    assert found(copy, WEIGHTS, 450) < _SECONDS_WITHOUT_LOADING
    assert found(copy, GRAPH, 400) < _SECONDS_WITHOUT_LOADING
    found(copy, (RECORD,), 150)
    assert found(copy, FOR_PEOPLE, 20) < _SECONDS_WITHOUT_LOADING
    assert verify(copy).ok


@pytest.mark.parametrize("name", [*WEIGHTS, *GRAPH, RECORD])
def test_a_file_that_ends_early_is_found(exported: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(exported, tmp_path / "1"))
    intact = (copy / name).read_bytes()
    for length in (0, len(intact) // 2, len(intact) - 1):
        (copy / name).write_bytes(intact[:length])
        assert not verify(copy).ok


def test_flips_of_a_signed_model_are_found(exported: Path, tmp_path: Path, key: Path) -> None:
    """With the signature no flip of the record comes as far as the model."""
    copy = Path(shutil.copytree(exported, tmp_path / "1"))
    sign(copy, read_private_key(key))
    public = read_public_key(key.with_name("trainer.pem.pub"))
    for demanded in (None, public):
        assert found(copy, (SIGNATURE,), 100, key=demanded) < _SECONDS_WITHOUT_LOADING
        assert found(copy, (RECORD,), 100, key=demanded) < _SECONDS_WITHOUT_LOADING
    assert found(copy, (*WEIGHTS, *GRAPH), 50, key=public) < _SECONDS_WITHOUT_LOADING
    assert verify(copy, key=public).ok
