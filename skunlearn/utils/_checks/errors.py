"""Bad requests: what they raise, and that they change nothing (contract, section 4)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError
from skunlearn.utils._checks.data import Rows, fitted, fresh, make_rows, some_ids
from skunlearn.utils._difference import differ

_UNKNOWN = 10**6


def _names(n_ids: int) -> list[str]:
    return [f"person {i}" for i in range(n_ids)]


def _assert_raises(
    name: str, error: type[Exception], action: Callable[[], Any], request: str
) -> BaseException:
    try:
        action()
    except error as raised:
        return raised
    except Exception as other:
        raise AssertionError(
            f"{name}: {request} must raise {error.__name__}; it raised {other!r}."
        ) from other
    raise AssertionError(f"{name}: {request} must raise {error.__name__}; nothing was raised.")


def _assert_refused(name: str, model: Any, error: type, request: Any, what: str) -> BaseException:
    before = copy.deepcopy(vars(model))
    raised = _assert_raises(name, error, lambda: model.unlearn(request), what)
    difference = differ(vars(model), before)
    if difference is not None:
        raise AssertionError(f"{name}: {what} was refused, but changed {difference}.")
    return raised


def check_unknown_ids_are_refused(name: str, estimator: Any, seed: int = 0) -> None:
    """Check ids never fitted, ids unlearned before, and requests that mix them with known ones."""
    rows = make_rows(estimator, seed)
    for kind, ids, stranger in (
        ("integer", rows.ids, _UNKNOWN),
        ("string", np.array(_names(len(rows.ids))), "nobody"),
        ("default", None, len(rows.ids)),
    ):
        case = rows.replace(ids=ids)
        model = fitted(estimator, case)
        known = model.sample_ids_.tolist()
        raised = _assert_refused(
            name, model, UnknownSampleError, [stranger], f"an unknown {kind} id"
        )
        if not isinstance(raised, KeyError) or repr(stranger) not in str(raised):
            raise AssertionError(
                f"{name}: UnknownSampleError must be a KeyError and name the unknown id "
                f"{stranger!r}; it says: {raised}"
            )
        mixed = [*known[:3], stranger]
        _assert_refused(name, model, UnknownSampleError, mixed, f"known {kind} ids and one not")
        model.unlearn(known[:2])
        _assert_refused(
            name, model, UnknownSampleError, known[1], f"a {kind} id that was unlearned already"
        )
        crowd = [_UNKNOWN + i for i in range(1, 26)]
        raised = _assert_refused(name, model, UnknownSampleError, crowd, "25 unknown ids")
        shown = sum(str(i) in str(raised) for i in crowd)
        if shown != 10:
            raise AssertionError(f"{name}: the error about 25 unknown ids names {shown}, not 10.")


def check_all_rows_are_refused(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that a request for every row is refused."""
    rows = make_rows(estimator, seed)
    model = fitted(estimator, rows)
    _assert_refused(name, model, NotUnlearnableError, rows.ids, "a request for all rows")
    if not issubclass(NotUnlearnableError, ValueError):
        raise AssertionError("NotUnlearnableError must be a ValueError.")


def check_empty_request_does_nothing(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that an empty request is no error and changes no fitted attribute."""
    rows = make_rows(estimator, seed)
    model = fitted(estimator, rows)
    before = copy.deepcopy(vars(model))
    requests: list[Any] = [[], (), np.array([]), np.array([], dtype=int), set(), iter([])]
    for empty in requests:
        if model.unlearn(empty) is not model:
            raise AssertionError(f"{name}: an empty request must return self.")
        now = {key: value for key, value in vars(model).items() if key != "unlearning_report_"}
        difference = differ(now, before)
        if difference is not None:
            raise AssertionError(f"{name}: an empty request changed {difference}.")


def check_unfitted_is_refused(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that an estimator that is not fitted says so."""
    model = fresh(estimator)
    row = make_rows(estimator, seed).X[:1]
    _assert_refused(name, model, NotFittedError, [0], "unlearn before fit")
    _assert_raises(
        name,
        NotFittedError,
        lambda: model.find_samples(row),
        "find_samples before fit",
    )
    if hasattr(model, "sample_ids_"):
        raise AssertionError(f"{name}: `sample_ids_` must not exist before fit.")


def check_malformed_requests_are_refused(name: str, estimator: Any, seed: int = 0) -> None:
    """Check missing ids, boolean masks, tables and other things that are no ids."""
    rows = make_rows(estimator, seed)
    model = fitted(estimator, rows)
    some = some_ids(rows, np.random.default_rng(seed), 4)
    for request, what in (
        (None, "None as request"),
        ([some[0], None], "None among the ids"),
        ([float(some[0]), np.nan], "NaN among the ids"),
        (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), "NaT among the ids"),
        (np.isin(rows.ids, some), "a boolean mask"),
        ([True, False], "a list of booleans"),
        (np.array([some[:2], some[2:]]), "a two-dimensional array of ids"),
        ([some[:2], some[2:]], "a nested list of ids"),
        (object(), "an object that is no id"),
    ):
        _assert_refused(name, model, ValueError, request, what)


def check_malformed_ids_are_refused(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that `fit` refuses ids that cannot name its rows."""
    rows = make_rows(estimator, seed)
    ids = rows.ids.tolist()
    for wrong, what in (
        (ids[:-1], "one id too few"),
        ([*ids, _UNKNOWN], "one id too many"),
        ("person", "a string for sample_ids"),
        (7, "a number for sample_ids"),
        (np.array(ids)[:, None], "two-dimensional sample_ids"),
        ([None, *ids[1:]], "None among sample_ids"),
        ([np.nan, *map(float, ids[1:])], "NaN among sample_ids"),
        (np.array(["NaT"] * len(ids), dtype="datetime64[ns]"), "NaT among sample_ids"),
        (np.ones(len(ids), dtype=bool), "booleans for sample_ids"),
        (set(ids), "a set for sample_ids"),
    ):
        case = Rows(rows.X, rows.y, wrong)
        _assert_raises(name, ValueError, partial(fitted, estimator, case), what)


def error_checks(estimator: Any) -> list[Any]:
    """Return the checks of this section."""
    return [
        check_unknown_ids_are_refused,
        check_all_rows_are_refused,
        check_empty_request_does_nothing,
        check_unfitted_is_refused,
        check_malformed_requests_are_refused,
        check_malformed_ids_are_refused,
    ]
