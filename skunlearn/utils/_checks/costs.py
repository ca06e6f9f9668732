"""What a request would take is told rightly, and asking changes nothing."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from typing import Any

import numpy as np

from skunlearn._unlearning.cost import UnlearningCost
from skunlearn._unlearning.tags import get_unlearning_tags
from skunlearn.exceptions import NotUnlearnableError, RowNumberWarning, UnknownSampleError
from skunlearn.utils._checks.data import Rows, fitted, make_rows, some_ids
from skunlearn.utils._difference import stored_apart

_SIZES = (1, 4, 20, 0)


def check_unlearning_cost(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that `unlearning_cost` changes nothing and agrees with the request that follows.

    It has to count the rows and parts that the request removes and computes anew; where the kind is
    not 'bitwise' it may foresee that more is computed anew. It raises what a request raises that
    names an unknown id, or all rows.
    """
    rows = make_rows(estimator, seed)
    ids = np.random.default_rng(seed).integers(0, 50, size=len(rows.ids))
    rows = rows.replace(ids=ids)
    model = fitted(estimator, rows)
    _check_refusals(name, model)
    for n_ids in _SIZES:
        asked, other = copy.deepcopy(model), copy.deepcopy(model)
        request = some_ids(rows, np.random.default_rng(seed), n_ids) if n_ids else []
        cost = _asked(name, asked, request)
        asked.unlearn(request)
        other.unlearn(request)
        difference = stored_apart(asked, other, passed_over=lambda thing: ("unlearning_report_",))
        if difference is not None:
            raise AssertionError(
                f"{name}: the request after unlearning_cost has another outcome than without: "
                f"{difference}."
            )
        tags: Any = get_unlearning_tags(asked)
        _compare(name, cost, asked.unlearning_report_, tags.kind)
        _check_texts(name, cost)
    _check_warning(name, estimator, rows)


def _asked(name: str, model: Any, request: Any) -> UnlearningCost:
    """Ask for the cost of a request and check that nothing has changed."""
    before = pickle.dumps(model)
    cost = model.unlearning_cost(request)
    if not isinstance(cost, UnlearningCost):
        raise AssertionError(f"{name}: `unlearning_cost` must return an UnlearningCost.")
    difference = stored_apart(pickle.loads(pickle.dumps(model)), pickle.loads(before))
    if difference is not None:
        raise AssertionError(f"{name}: unlearning_cost must change nothing, but {difference}.")
    return cost


def _check_refusals(name: str, model: Any) -> None:
    held = model.sample_ids_.tolist()
    unknown = max(held) + 1
    for request, expected, what in (
        (unknown, UnknownSampleError, "an unknown id"),
        ([held[0], unknown], UnknownSampleError, "a known id and one that is not"),
        (held, NotUnlearnableError, "all rows"),
    ):
        try:
            model.unlearning_cost(request)
        except expected:
            continue
        raise AssertionError(
            f"{name}: unlearning_cost of {what} must raise {expected.__name__}, as unlearn does; "
            "nothing was raised."
        )


def _compare(name: str, cost: UnlearningCost, report: Any, kind: str) -> None:
    for field, truth in {
        "estimator": report.estimator,
        "n_ids": report.n_requested,
        "n_rows": report.n_removed,
        "n_parts": report.n_parts,
        "part": report.part,
    }.items():
        if getattr(cost, field) != truth:
            raise AssertionError(
                f"{name}: the cost is wrong: {field} is {getattr(cost, field)!r}, the request says "
                f"{truth!r}."
            )
    touched, refitted = cost.n_parts_touched, report.n_refitted
    if touched < refitted or (kind == "bitwise" and touched != refitted):
        raise AssertionError(
            f"{name}: the cost is wrong: n_parts_touched is {touched}, the request has computed "
            f"{refitted} {report.part}s anew."
        )
    for field in ("n_passes", "seconds"):
        value = getattr(cost, field)
        if not (isinstance(value, float) and math.isfinite(value) and value >= 0.0):
            raise AssertionError(f"{name}: the cost is wrong: {field} is {value!r}.")


def _check_texts(name: str, cost: UnlearningCost) -> None:
    for what, text in {"str(cost)": str(cost), "the cost's HTML": cost._repr_html_()}.items():
        if cost.estimator not in text or f"{cost.n_rows:,}" not in text:
            raise AssertionError(f"{name}: {what} must state the estimator and the rows.")


def _check_warning(name: str, estimator: Any, rows: Rows) -> None:
    """Check that asking by row number neither warns nor keeps the request from warning."""
    model = fitted(estimator, rows.replace(ids=None))
    for n_warnings, ask in ((0, model.unlearning_cost), (1, model.unlearn)):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            ask(model.sample_ids_[5])
        found = sum(issubclass(warning.category, RowNumberWarning) for warning in seen)
        if found != n_warnings:
            raise AssertionError(
                f"{name}: {ask.__name__} by row number gave {found} RowNumberWarning, should be "
                f"{n_warnings}."
            )


def cost_checks(estimator: Any) -> list[Any]:
    """Return the check of this file."""
    return [check_unlearning_cost]
