"""The secret: it derives, and tells nobody."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest

from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError


def test_generated_keys_differ_and_are_secret():
    first, second = SecretKey.generate(), SecretKey.generate()
    assert not first.reproducible
    assert first.derive("noise") != second.derive("noise")


def test_key_of_a_seed_is_marked_and_repeatable():
    assert SecretKey.from_seed(3).reproducible
    assert SecretKey.from_seed(3).derive("a", 5) == SecretKey.from_seed(3).derive("a", 5)
    assert SecretKey.from_seed(3).derive("a", 5) != SecretKey.from_seed(4).derive("a", 5)


def test_a_stream_is_given_away_once():
    key = SecretKey.generate()
    key.dedicate("noise")
    key.dedicate("other")
    with pytest.raises(InputError, match="The noise of another model"):
        key.dedicate("noise")
    known = SecretKey.from_seed(0)
    known.dedicate("noise")
    known.dedicate("noise")


def test_seeds_of_streams_and_indices_are_all_different():
    """Also where a separator could be confused: stream "a:1" at 1 and stream "a" at 11 or 1."""
    key = SecretKey.from_seed(0)
    names = ["sampling", "noise", "a", "a:1", "a:", ""]
    seeds = [key.derive(*pair) for pair in itertools.product(names, range(200))]
    assert len(set(seeds)) == len(seeds)


def test_seeds_have_128_bits():
    """Over 400 seeds every bit is set in some and clear in some; by chance it is not in 2**-399."""
    key = SecretKey.from_seed(0)
    seeds = [key.derive("noise", index) for index in range(400)]
    assert all(0 <= seed < 2**128 for seed in seeds)
    ever_set = ever_clear = 0
    for seed in seeds:
        ever_set |= seed
        ever_clear |= ~seed
    assert ever_set == 2**128 - 1
    assert ever_clear & (2**128 - 1) == 2**128 - 1


def test_key_is_never_shown_or_pickled():
    secret = bytes(range(32))
    key = SecretKey(secret)
    shown = f"{key} {key!r} {[key]}"
    assert shown == "SecretKey(...) SecretKey(...) [SecretKey(...)]"
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            leave(key)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_key_has_32_bytes(length):
    with pytest.raises(ValueError, match=f"32 bytes; got {length}"):
        SecretKey(bytes(length))
