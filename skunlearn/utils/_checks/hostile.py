"""The law at the limits of floats and integers, where nothing may go wrong silently."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import get_tags

from skunlearn._unlearning.tags import get_unlearning_tags
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.utils._checks.data import (
    Rows,
    assert_like_retrained,
    fitted,
    kind_of_rows,
    make_rows,
    takes_weights,
)
from skunlearn.utils._checks.law import assert_refused
from skunlearn.utils._compare import kind_claimed, outputs_of
from skunlearn.utils._difference import public_attributes

_N_SAMPLES = 42
# Positions of the rows that go, the first of them in a request of its own.
_GONE = [5, 23, 12, 40]
_GOES = np.isin(np.arange(_N_SAMPLES), _GONE)

# Multiples of _STEP are exact that far from zero.
_FAR, _STEP = 2.0**30, 2.0**-10
# The squares of such entries are close to infinity and to zero.
_HUGE, _TINY = 1e150, 1e-150


class Case(NamedTuple):
    """Rows of one kind of hostility; `vanishes` where the remaining ones determine zeros only."""

    circumstance: str
    rows: Rows
    vanishes: bool = False


def check_hostile_data_offsets(name: str, estimator: Any, seed: int = 0) -> None:
    """Check columns that are much farther from zero than they are wide, such as timestamps."""
    rows = _some_rows(estimator, seed)
    X = np.round(rows.X / _STEP) * _STEP
    cases = [
        Case("a column of timestamps", rows.replace(X=X + np.array([0.0, 1.7e9, 0.0, 0.0]))),
        Case("all columns far from zero", rows.replace(X=X + _FAR)),
    ]
    _assert_law_of_each(name, estimator, cases)


def check_hostile_data_scales(name: str, estimator: Any, seed: int = 0) -> None:
    """Check columns and rows of very different size, and entries at the ends of the floats."""
    rows = _some_rows(estimator, seed)
    size = 10.0 ** np.random.default_rng(seed).uniform(-8.0, 8.0, size=(_N_SAMPLES, 1))
    cases = [
        Case("columns of size 1e-8 to 1e8", rows.replace(X=rows.X * [1e-8, 1.0, 1e8, 1.0])),
        Case("rows of size 1e-8 to 1e8", rows.replace(X=rows.X * size)),
        Case("huge entries", rows.replace(X=rows.X * _HUGE)),
        Case("tiny entries", rows.replace(X=rows.X * _TINY)),
    ]
    _assert_law_of_each(name, estimator, cases)


def check_hostile_data_weights(name: str, estimator: Any, seed: int = 0) -> None:
    """Check sample weights of very different size, zeros, and a negative one."""
    rows = _some_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    weight = rng.random(_N_SAMPLES) + 0.5
    group = np.arange(_N_SAMPLES) % 2 if rows.y is None else rows.y
    half = group == group[0] if is_classifier(estimator) else group > np.median(group)
    first = np.arange(_N_SAMPLES) == 0
    weights = [
        ("weights of size 1e-30 to 1e10", 10.0 ** rng.uniform(-30.0, 10.0, size=_N_SAMPLES)),
        ("heavy rows go, light ones remain", np.where(_GOES, 1e10, 1e-30) * weight),
        ("a class or half of the rows without weight", np.where(half, 0.0, weight)),
        ("no remaining row with a weight", np.where(_GOES, weight, 0.0)),
        ("a negative weight", np.where(first, -0.25, weight)),
    ]
    cases = [Case(circumstance, rows.replace(weight=each)) for circumstance, each in weights]
    _assert_law_of_each(name, estimator, cases)


def check_hostile_data_columns(name: str, estimator: Any, seed: int = 0) -> None:
    """Check columns that hold one value or none, before a request or after it."""
    _assert_law_of_each(name, estimator, _columns(estimator, seed))


def _columns(estimator: Any, seed: int) -> Iterator[Case]:
    rows = _some_rows(estimator, seed)
    tags = get_tags(estimator).input_tags
    constant = rows.X.copy()
    constant[:, [0, 2]] = [0.0, 3.0 if tags.categorical else 1e8 + 0.1]
    yield Case("constant columns", rows.replace(X=constant))
    alike = np.where(_GOES[:, None], rows.X, rows.X[0])
    y: Any = rows.y
    if is_classifier(estimator):  # one of which is the most frequent
        y = np.where(np.arange(_N_SAMPLES) % 4 == 0, y[0], y)
    yield Case("remaining rows that are all alike", rows.replace(X=alike, y=y), vanishes=True)
    if tags.sparse:
        weight = np.random.default_rng(seed).random(_N_SAMPLES) + 0.5
        thin = rows.replace(X=sparse.csr_array(constant))
        yield Case("constant sparse columns", thin)
        if takes_weights(estimator):
            yield Case("constant sparse columns and weights", thin.replace(weight=weight))
    if tags.allow_nan:
        missing = rows.X.copy()
        missing[:, 0] = np.nan
        missing[~_GOES, 2] = np.nan
        yield Case("columns without values, at first or then", rows.replace(X=missing))


def check_hostile_data_targets(name: str, estimator: Any, seed: int = 0) -> None:
    """Check classes with one row or one value, and targets far from zero, huge, tiny and alike."""
    _assert_law_of_each(name, estimator, _targets(estimator, seed))


def _targets(estimator: Any, seed: int) -> Iterator[Case]:
    rows = _some_rows(estimator, seed)
    y: Any = rows.y
    if is_classifier(estimator):
        same = (y == y[0]) & ~_GOES
        lone = np.where(same & (np.arange(_N_SAMPLES) > 0), y[y != y[0]][0], y)
        yield Case("a class of which one row remains", rows.replace(y=lone))
        alike = np.where(same[:, None], rows.X[0], rows.X)
        yield Case("a class of which one value remains", rows.replace(X=alike))
        return
    y = np.round(y / _STEP) * _STEP
    yield Case("targets far from zero", rows.replace(y=y + _FAR))
    yield Case("huge targets", rows.replace(y=y * _HUGE))
    yield Case("tiny targets", rows.replace(y=y * _TINY))
    one = np.where(_GOES, y, np.abs(y[0]))
    yield Case("remaining targets that are all alike", rows.replace(y=one), vanishes=True)


def check_hostile_data_dtypes(name: str, estimator: Any, seed: int = 0) -> None:
    """Check integers that floats cannot hold, unsigned ones, truth values and orders of bytes."""
    labels = kind_of_rows(estimator) == "labels"
    _assert_law_of_each(name, estimator, (_labels if labels else _tables)(estimator, seed))


def _labels(estimator: Any, seed: int) -> Iterator[Case]:
    rows = _some_rows(estimator, seed)
    numbers = np.unique(rows.X, return_inverse=True)[1]
    yield Case("integers beyond 2^53", rows.replace(X=numbers + (1 << 60)))
    yield Case(
        "unsigned integers beyond 2^63", rows.replace(X=numbers.astype(np.uint64) + (1 << 63))
    )
    for dtype in ("?", "u1", "f2", "f4", ">i8", ">f8"):
        yield Case(f"labels of dtype {dtype}", rows.replace(X=numbers.astype(dtype)))


def _tables(estimator: Any, seed: int) -> Iterator[Case]:
    rows = _some_rows(estimator, seed)
    tags = get_tags(estimator).input_tags
    levels = tags.categorical
    whole = np.round(rows.X if levels else 8.0 * rows.X).astype(np.int64)
    if not (levels and tags.positive_only):  # which counts up to the largest level
        yield Case("integers beyond 2^53", rows.replace(X=whole + (1 << 60)))
        beyond = whole.astype(np.uint64) + (1 << 63)
        yield Case("unsigned integers beyond 2^63", rows.replace(X=beyond))
    for dtype in ("i1", "u1"):
        X = np.abs(whole).astype(dtype)
        if not levels:
            ends = np.iinfo(dtype)
            X[_GONE[:2]] = [[0 if tags.positive_only else ends.min], [ends.max]]
            X[0] = X[_GONE[0]]
        yield Case(f"dtype {dtype}, to its ends", rows.replace(X=X))
    yield Case("dtype ?", rows.replace(X=np.greater(rows.X, np.median(rows.X, axis=0))))
    for dtype in ("f2", "g"):
        yield Case(f"dtype {dtype}", rows.replace(X=rows.X.astype(dtype)))
    for dtype in (">i4", ">f8"):
        X = (whole if dtype == ">i4" else rows.X).astype(dtype)
        y: Any = None if rows.y is None else rows.y.astype(rows.y.dtype.newbyteorder(">"))
        yield Case(f"dtype {dtype}", rows.replace(X=X, y=y))


def _some_rows(estimator: Any, seed: int) -> Rows:
    rows = make_rows(estimator, seed)
    return rows.part(np.arange(len(rows.ids)) < _N_SAMPLES)


def _assert_law_of_each(name: str, estimator: Any, cases: Iterable[Case]) -> None:
    for case in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of which some say what makes these rows hostile
            _assert_law(name, estimator, case)


def _assert_law(name: str, estimator: Any, case: Case) -> None:
    """Assert that unlearning gives what retraining gives: a model without NaN, or a refusal."""
    circumstance, rows, vanishes = case
    ids = [rows.ids[position] for position in _GONE]
    remaining = rows.without(ids)
    retrained, refusal, warned = _try_to_fit(name, estimator, remaining, circumstance)
    model, refused, _ = _try_to_fit(name, estimator, rows, circumstance)
    if refused is not None:
        return
    if refusal is not None:
        assert_refused(name, model, [ids], circumstance, refusal)
        return
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            _unlearn_in_two(name, estimator, model, case)
        except Exception as error:
            raise AssertionError(
                f"{name}: fit takes the remaining rows ({circumstance}), but unlearn raised "
                f"{error!r}."
            ) from error
    if UserWarning not in warned:
        _assert_finite(name, retrained, remaining, circumstance)
    _assert_claim_is_kept(name, model, circumstance)
    if kind_claimed(model) != "numerical":
        assert_like_retrained(name, model, retrained, remaining.X, circumstance)
    elif ConvergenceWarning not in {*warned, *_categories(seen)}:
        X = rows.X if vanishes else remaining.X
        assert_like_retrained(name, model, retrained, X, circumstance, outputs_only=vanishes)


def _unlearn_in_two(name: str, estimator: Any, model: Any, case: Case) -> None:
    """Forget in two requests, or in one where `fit` would refuse what remains after the first."""
    ids = [case.rows.ids[position] for position in _GONE]
    try:
        model.unlearn(ids[:1])
    except NotUnlearnableError:
        between = case.rows.without(ids[:1])
        if _try_to_fit(name, estimator, between, case.circumstance)[1] is None:
            raise
        model.unlearn(ids)
    else:
        model.unlearn(ids[1:])


def _try_to_fit(
    name: str, estimator: Any, rows: Rows, circumstance: str
) -> tuple[Any, ValueError | TypeError | None, set[type[Warning]]]:
    """Return a model or the error with which it was refused, and the categories of warnings."""
    model = refusal = None
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            model = fitted(estimator, rows)
        except (ValueError, TypeError) as error:
            refusal = error
        except Exception as error:
            raise AssertionError(
                f"{name}: what fit cannot take ({circumstance}) it must refuse by a ValueError or "
                f"a TypeError; it raised {error!r}."
            ) from error
    return model, refusal, _categories(seen)


def _categories(seen: list[warnings.WarningMessage]) -> set[type[Warning]]:
    """Return the categories of warnings, with those that they derive from."""
    return {category for one in seen for category in one.category.__mro__}


def _assert_finite(name: str, model: Any, rows: Rows, circumstance: str) -> None:
    """Assert that a model that was fitted without a warning has no NaN, nor an infinity."""
    if rows.X.dtype.kind == "f" and not sparse.issparse(rows.X) and np.isnan(rows.X).any():
        return
    for where, value in (public_attributes(model) | outputs_of(model, rows.X)).items():
        if where in getattr(model, "_accounts", ()):
            continue
        for array in _arrays(value):
            # A logarithm of zero is no accident.
            if np.isnan(array).any() or ("log" not in where and np.isinf(array).any()):
                raise AssertionError(
                    f"{name}: fit ({circumstance}) neither refused nor warned, but `{where}` has "
                    "entries that are not finite."
                )


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """Yield the arrays of floats that an attribute or output consists of."""
    if isinstance(value, list | tuple):
        for part in value:
            yield from _arrays(part)
        return
    array = np.asarray(value.data if sparse.issparse(value) else value)
    if array.dtype.kind == "f":
        yield array


def _assert_claim_is_kept(name: str, model: Any, circumstance: str) -> None:
    """Assert that an error beyond the tolerance is not reported as if it were within."""
    guarantee = model.unlearning_report_.guarantee
    tags: Any = get_unlearning_tags(model)
    tolerance = tags.tolerance
    if guarantee.kind == "numerical" and not (guarantee.error or 0.0) <= tolerance:
        raise AssertionError(
            f"{name}: the report ({circumstance}) claims kind 'numerical' and an error of "
            f"{guarantee.error:.2g}, above the tolerance {tolerance} that the tags promise."
        )


def hostile_checks(estimator: Any) -> list[Any]:
    """Return the checks of this file that apply to the estimator."""
    kind = kind_of_rows(estimator)
    if kind == "labels":
        return [check_hostile_data_dtypes]
    if kind != "table":
        return []
    checks = [check_hostile_data_dtypes, check_hostile_data_columns]
    if not get_tags(estimator).input_tags.categorical:
        checks += [check_hostile_data_offsets, check_hostile_data_scales]
    if is_classifier(estimator) or is_regressor(estimator):
        checks.append(check_hostile_data_targets)
    if takes_weights(estimator):
        checks.append(check_hostile_data_weights)
    return checks
