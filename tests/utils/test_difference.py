"""What pickle stores of two objects is compared part by part."""

import numpy as np
import pytest
from scipy import sparse

from skunlearn.utils._difference import differ, stored_apart

pytestmark = pytest.mark.fast


class Box:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Lean(Box):
    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "cache"}


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "order"),
        (np.array(["a"], dtype="U5"), np.array(["a"], dtype="U1"), "dtype"),
        (np.array([1.0]), np.array([1.0 + 2**-52]), "bit for bit"),
        (np.zeros(2), np.zeros(3), "shape"),
        ([1, 2], [1], "items"),
        (Box(_n=1), Box(_n=2), "should be 2"),
        (Box(_n=1, a=0), Box(a=0), "added"),
        (sparse.csr_array([[1.0, 0.0]]), sparse.csr_array([[0.0, 1.0]]), "is"),
    ],
)
def test_what_is_stored_differs(ours, theirs, message):
    assert message in str(stored_apart(Box(part=ours), Box(part=theirs)))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Lean(a=1, cache=[1]), Lean(a=1)),
        (Box(a=1, b=2), Box(b=2, a=1)),
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0])),
    ],
)
def test_what_is_not_stored_does_not_matter(ours, theirs):
    assert stored_apart(ours, theirs) is None


def test_what_scipy_found_out_about_a_matrix_does_not_matter():
    ours, theirs = (sparse.csr_array(np.eye(3)) for _ in range(2))
    assert ours.has_canonical_format
    assert stored_apart(ours, theirs) is None


def test_attributes_that_either_side_passes_over():
    def passed_over(thing):
        return ("_n",) if getattr(thing, "_n", 0) else ()

    for other in (Box(a=1, _n=0), Box(a=1)):
        assert stored_apart(Box(a=1, _n=3), other, passed_over=passed_over) is None
        assert stored_apart(other, Box(a=1, _n=3), passed_over=passed_over) is None


def test_numbers_that_are_no_floats_are_always_compared():
    infinite = {"rtol": np.inf}
    assert stored_apart(Box(n=1), Box(n=2), **infinite) is not None
    assert stored_apart(Box(n=1.5), Box(n=2.5), **infinite) is None
    assert stored_apart(Box(key=b"ab"), Box(key=b"cd"), **infinite) is None
    assert stored_apart(Box(key=b"ab"), Box(key=b"c"), **infinite) is not None
    assert differ(Box(n=1), Box(n=2), **infinite) is None
