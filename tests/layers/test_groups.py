"""Groups of the square: axioms, actions, subgroups and cosets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.layers.groups import GROUP_NAMES, square_group

NAMES = ["C1", "C2", "C4", "D1", "D2", "D4"]


@pytest.fixture(params=NAMES)
def group(request):
    return square_group(request.param)


def test_orders():
    assert [square_group(name).order for name in NAMES] == [1, 2, 4, 2, 4, 8]
    assert [square_group(name).has_reflections for name in NAMES] == [False] * 3 + [True] * 3


def test_product_is_closed_and_associative(group):
    products = group.products
    assert products.shape == (group.order, group.order)
    assert set(products.ravel()) == set(range(group.order))
    for f, g, h in itertools.product(range(group.order), repeat=3):
        assert products[products[f, g], h] == products[f, products[g, h]]


def test_the_first_element_is_the_identity_and_inverses_are_inverse(group):
    everyone = np.arange(group.order)
    np.testing.assert_array_equal(group.products[0], everyone)
    np.testing.assert_array_equal(group.products[:, 0], everyone)
    np.testing.assert_array_equal(group.products[everyone, group.inverses], 0)
    np.testing.assert_array_equal(group.products[group.inverses, everyone], 0)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_the_action_is_that_of_the_group_and_of_rot90_and_flip(group, size):
    grid = np.random.default_rng(0).normal(size=(size, size))
    action = group.grid_action(size)
    for g, element in enumerate(group.elements):
        moved = np.rot90(grid, element % 4)
        moved = moved[::-1] if element >= 4 else moved
        np.testing.assert_array_equal(grid.ravel()[action[g]].reshape(size, size), moved)
        np.testing.assert_array_equal(group.transform(grid, g), moved)
        for h in range(group.order):
            twice = group.transform(group.transform(grid, h), g)
            np.testing.assert_array_equal(twice, group.transform(grid, group.products[g, h]))


def test_inverse_product_of_the_published_formula():
    """h_out^-1 h_in of `research/papers.md`, D1, for elements 4m + r."""
    group = square_group("D4")
    for h_out, h_in in itertools.product(range(8), repeat=2):
        (m_out, r_out), (m_in, r_in) = divmod(h_out, 4), divmod(h_in, 4)
        m, r = (0, r_in - r_out) if m_in == m_out else (1, r_in + r_out)
        assert group.products[group.inverses[h_out], h_in] == 4 * m + r % 4


def test_subgroups_are_those_that_lie_inside():
    found = {name: [each.name for each in square_group(name).subgroups()] for name in NAMES}
    assert found == {
        "C1": ["C1"],
        "C2": ["C1", "C2"],
        "C4": ["C1", "C2", "C4"],
        "D1": ["C1", "D1"],
        "D2": ["C1", "C2", "D1", "D2"],
        "D4": ["C1", "C2", "D1", "C4", "D2", "D4"],
    }


def test_cosets_are_the_orbits_of_the_subgroup(group):
    for subgroup in group.subgroups():
        cosets = group.cosets(subgroup)
        assert cosets.shape == (group.order // subgroup.order, subgroup.order)
        assert sorted(cosets.ravel()) == list(range(group.order))
        inside = [group.elements.index(element) for element in subgroup.elements]
        np.testing.assert_array_equal(cosets[0], inside)
        for row in cosets:
            for g, position in enumerate(inside):
                np.testing.assert_array_equal(
                    group.products[position, row], row[subgroup.products[g]]
                )


def test_names():
    pairs = {"p1": "C1", "p2": "C2", "p4": "C4", "pm": "D1", "p2mm": "D2", "p4m": "D4"}
    for plane, point in pairs.items():
        assert square_group(plane) is square_group(point)
    assert set(GROUP_NAMES) == {*NAMES, *pairs}


def test_bad_names_are_one_sentence():
    with pytest.raises(InputError, match="no group named 'p4mm'; did you mean"):
        square_group("p4mm")
    with pytest.raises(InputError, match="C4 is not a subgroup of D2; choose of C1, C2, D1, D2."):
        square_group("D2").cosets(square_group("C4"))
