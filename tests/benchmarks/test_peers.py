"""A peer that cannot be installed is reported with pip's own reason."""

from __future__ import annotations

import re

from benchmarks import peers

PIP = """#!/bin/sh
case "$*" in *opacus) exit 0;; esac
echo "WARNING: a cache is full" >&2
echo "ERROR: No matching distribution found for $7$PIP_CONSTRAINT" >&2
exit 1
"""


def test_reason_of_each_package(tmp_path, monkeypatch):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(PIP)
    python.chmod(0o755)
    monkeypatch.setattr(peers, "PEERS_PYTHON", python)
    monkeypatch.setenv("PIP_CONSTRAINT", "constraints-of-ours")
    assert peers.install({"opacus", "jax-privacy"}) == {
        "jax-privacy": "ERROR: No matching distribution found for jax-privacy"
    }


def test_no_environment_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "PEERS_PYTHON", tmp_path / "bin" / "python")
    monkeypatch.setattr(peers.sys, "executable", "/bin/false")
    assert peers.install({"opacus"}) == {"opacus": "pip said nothing"}


def test_every_package_is_pinned():
    pins = [line for line in peers.PINS.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line) for line in pins)
    assert {"torch", "opacus", "jax", "jax_privacy"} <= {line.split("==")[0] for line in pins}
