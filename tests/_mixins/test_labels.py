"""Labels and codes, as every classifier of the package looks them up."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skunlearn._mixins.labels import (
    check_two_classes,
    check_two_remain,
    codes_of,
    codes_of_queries,
    counts_without,
    encoded,
)
from skunlearn.exceptions import NotUnlearnableError


class Judge(BaseEstimator):
    pass


@pytest.mark.parametrize("labels", [["b", "a", "c"], [3, -1, 2], [0.5, -0.5, 2.0], [True, False]])
def test_codes_are_positions_of_sorted_labels(labels, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    y = rng.permutation(np.repeat(labels, 5))
    classes, codes = encoded(y)
    assert classes.tolist() == sorted(labels)
    assert (classes[codes] == y).all()
    assert (codes_of(classes, y) == codes).all()
    assert (codes_of_queries(classes, y.tolist()) == codes).all()


def test_queries_that_are_no_class_have_no_code():
    assert codes_of_queries(np.array(["a", "b"]), ["b", "z", 1, None]).tolist() == [1, -1, -1, -1]
    assert codes_of_queries(np.array([1, 2]), [2.0, 1.5]).tolist() == [1, -1]
    assert codes_of_queries(np.array([1, 2]), []).dtype == np.intp


def test_queries_of_other_libraries():
    strict = pytest.importorskip("array_api_strict")
    codes = codes_of_queries(strict.asarray([3, 5]), strict.asarray([5, 4]))
    assert codes.tolist() == [1, -1]


def test_counts_of_classes_that_vanish_are_zero():
    assert counts_without(np.array([2, 1, 4]), np.array([1, 2, 2])).tolist() == [2, 0, 2]
    assert counts_without(np.array([2, 1]), np.array([], dtype=np.intp)).tolist() == [2, 1]


def test_fewer_than_two_classes_are_refused():
    check_two_classes(Judge(), np.array(["a", "b"]))
    with pytest.raises(ValueError, match="data contains only one class"):
        check_two_classes(Judge(), np.array(["a"]))
    check_two_remain(Judge(), np.array([0, 1]))
    with pytest.raises(NotUnlearnableError, match="leave one class only, "):
        check_two_remain(Judge(), np.array([1]))
    with pytest.raises(NotUnlearnableError, match="leave no row that weighs"):
        check_two_remain(Judge(), np.array([], dtype=int))
