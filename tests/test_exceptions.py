"""Errors can be caught under their usual names, pickled, and say what is wrong."""

from __future__ import annotations

import copy
import pickle

import pytest

from skunlearn.exceptions import BudgetExhaustedError, NotUnlearnableError, UnknownSampleError

pytestmark = pytest.mark.fast


def test_errors_are_what_users_would_catch():
    assert issubclass(UnknownSampleError, KeyError)
    assert issubclass(NotUnlearnableError, ValueError)
    assert issubclass(BudgetExhaustedError, ValueError)


@pytest.mark.parametrize(
    ("ids", "n_requested", "text"),
    [
        ([7], 1, "1 of 1 requested id is not in the model"),
        (["ann"], 3, "1 of 3 requested ids are not in the model"),
        (range(10), 10, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9. Nothing was changed"),
        (range(12), 12, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, .... Nothing was changed"),
    ],
)
def test_unknown_ids_are_named_up_to_ten(ids, n_requested, text):
    error = UnknownSampleError(ids, n_requested)
    assert text in str(error)
    assert error.n_unknown == len(ids)
    assert error.n_requested == n_requested


def test_the_message_is_not_quoted_as_keys_are():
    assert not str(UnknownSampleError(["ann"], 1)).startswith(("'", '"'))
    assert "'ann'" in str(UnknownSampleError(["ann"], 1))


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_errors_survive_pickling(duplicate):
    error = UnknownSampleError((i for i in ("ann", 5)), 4)
    twin = duplicate(error)
    assert type(twin) is UnknownSampleError
    assert str(twin) == str(error)
    assert (twin.n_unknown, twin.n_requested) == (2, 4)
    assert str(duplicate(NotUnlearnableError("why"))) == "why"
