"""Copies and deployment: clone, pickle, joblib, copies, slicing of ids, predictors, lookup."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_validate

from skunlearn._unlearning.tags import get_unlearning_tags
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.utils._checks.data import (
    assert_like_retrained,
    fit,
    fitted,
    fresh,
    kind_of_rows,
    make_rows,
    some_ids,
)
from skunlearn.utils._checks.haystack import buffers, pickles
from skunlearn.utils._compare import outputs_of
from skunlearn.utils._difference import differ, public_attributes


def _through_joblib(model: Any) -> Any:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "joblib": _through_joblib,
    "copy.deepcopy": copy.deepcopy,
    "copy.copy": copy.copy,
}


def check_copies_are_complete_and_independent(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that copies equal the model, forget like it, and do not share its rows."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 30)
    retrained = fitted(estimator, rows.without(ids))
    for n_before, ways in ((0, ["pickle"]), (25, list(COPIES))):
        model = fitted(estimator, rows).unlearn(ids[:n_before])
        original = copy.deepcopy(public_attributes(model))
        outputs = outputs_of(model, rows.X)
        others = {}
        for way in ways:
            when = f"{way} after {n_before} rows were unlearned"
            twin, others[when] = COPIES[way](model), COPIES[way](model)
            difference = differ(public_attributes(twin), original) or differ(
                outputs_of(twin, rows.X), outputs, rtol=1e-12
            )
            if difference is not None:
                raise AssertionError(f"{name}: a copy ({when}) is not complete: {difference}.")
            twin.unlearn(ids[n_before:])
            difference = differ(public_attributes(model), original)
            if difference is not None:
                raise AssertionError(
                    f"{name}: unlearning in a copy ({when}) changed the original: {difference}."
                )
            assert_like_retrained(name, twin, retrained, rows.X, f"in a copy by {when}")
        model.unlearn(ids[n_before:])
        for when, other in others.items():
            difference = differ(public_attributes(other), original)
            if difference is not None:
                raise AssertionError(
                    f"{name}: unlearning in the original changed a copy ({when}): {difference}."
                )
            other.unlearn(ids[n_before:])
            assert_like_retrained(
                name, other, retrained, rows.X, f"in a copy by {when}, the original first"
            )


def check_fit_starts_afresh(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that `fit` after `unlearn`, and `fit` of a clone, know nothing of earlier requests."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 5)
    model = fitted(estimator, rows).unlearn(ids)
    reference = fitted(estimator, rows)
    unfitted = clone(model)
    if public_attributes(unfitted):
        raise AssertionError(f"{name}: clone of an unlearned model must not be fitted.")
    for how, again in {"fit after unlearn": model, "fit of a clone": unfitted}.items():
        fit(again, rows)
        difference = differ(public_attributes(again), public_attributes(reference))
        if difference is not None:
            raise AssertionError(f"{name}: {how} is not a fresh fit: {difference}.")
        if hasattr(again, "unlearning_report_"):
            raise AssertionError(f"{name}: {how} must drop `unlearning_report_`.")
        assert_like_retrained(
            name, again.unlearn(ids), fitted(estimator, rows.without(ids)), rows.X, how
        )


def check_ids_are_sliced_like_rows(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that `sample_ids` goes through cross-validation as an ordinary per-row parameter."""
    rows = make_rows(estimator, seed)
    folds = KFold(2, shuffle=True, random_state=seed)
    result = cross_validate(
        fresh(estimator),
        rows.X,
        rows.y,
        cv=folds,
        scoring=lambda model, X, y=None: 0.0,
        params={"sample_ids": rows.ids},
        return_estimator=True,
        error_score="raise",
    )
    for model, (train, _) in zip(result["estimator"], folds.split(rows.X), strict=True):
        if model.sample_ids_.tolist() != rows.ids[train].tolist():
            raise AssertionError(
                f"{name}: in cross-validation `sample_ids` must be sliced with the rows."
            )


def check_find_samples(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that rows are found by value, only while they are held, and only if equal."""
    rows = make_rows(estimator, seed)
    model = fitted(estimator, rows)
    positions = np.random.default_rng(seed).permutation(len(rows.ids))[:5]
    gone, stays = positions[:3], positions[3:]

    def found(which: np.ndarray, y: Any = None) -> set:
        return set(model.find_samples(rows.X[which], *(() if y is None else (y,))).tolist())

    if not found(positions) >= set(rows.ids[positions].tolist()):
        raise AssertionError(f"{name}: find_samples does not find rows that are held.")
    if rows.y is not None and not found(positions, rows.y[positions]) >= set(
        rows.ids[positions].tolist()
    ):
        raise AssertionError(f"{name}: find_samples does not find rows by X and y.")
    strangers = make_rows(estimator, seed + 1).X
    if kind_of_rows(estimator) == "labels":
        strangers = np.array([f"other {label}" for label in strangers])
    if model.find_samples(strangers).size == len(rows.ids):
        raise AssertionError(f"{name}: find_samples finds rows that were never there.")
    model.unlearn(rows.ids[gone])
    if set(rows.ids[gone].tolist()) & found(positions):
        raise AssertionError(f"{name}: find_samples still finds rows that were unlearned.")
    if not found(stays) >= set(rows.ids[stays].tolist()):
        raise AssertionError(f"{name}: find_samples lost rows that are still held.")


def _secrets(estimator: Any, some: Any, X: Any) -> list[list[bytes]]:
    """List, for each of some rows, bytes of which a predictor may hold a part, but not all.

    They are what no other row has; a label has nothing but what makes it a class.
    """
    kind = kind_of_rows(estimator)
    if kind == "labels":
        return []
    if kind == "texts":
        return [[text.encode()] for text in some]
    telling = (some[:, np.newaxis] == X).sum(axis=1) == 1
    parts = zip(some, telling, strict=True)
    return [[value.tobytes() for value in row[tells]] for row, tells in parts if tells.any()]


def check_predictor_holds_no_rows(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that `to_predictor` predicts the same, holds no row and no id, and cannot unlearn.

    A model that predicts with its rows hands them on, but neither ids nor rows that are gone.
    """
    rows = make_rows(estimator, seed)
    big = np.random.default_rng(seed).integers(1 << 60, 1 << 62, size=len(rows.ids))
    rows = rows.replace(ids=big)
    model = fitted(estimator, rows).unlearn(big[:2])
    predictor = model.to_predictor()
    tags: Any = get_unlearning_tags(estimator)
    n_secret = 2 if tags.predicts_with_rows else len(big)
    ours = outputs_of(model, rows.X)
    theirs = {key: value for key, value in outputs_of(predictor, rows.X).items() if key in ours}
    shared = {key: ours[key] for key in theirs}
    difference = differ(theirs, shared, rtol=1e-9)
    if not theirs or difference is not None:
        raise AssertionError(
            f"{name}: the predictor does not give the model's outputs: {difference}."
        )
    secrets = _secrets(estimator, rows.X[:n_secret], rows.X)
    for where, content in (*pickles(predictor), *buffers(predictor)):
        if any(i.to_bytes(8, "little") in content for i in big.tolist()):
            raise AssertionError(f"{name}: {where} of the predictor holds the id of a row.")
        if any(all(part in content for part in secret) for secret in secrets):
            raise AssertionError(f"{name}: {where} of the predictor holds a training row.")
    if hasattr(predictor, "unlearn"):
        try:
            predictor.unlearn(int(big[5]))
        except NotUnlearnableError:
            return
        raise AssertionError(f"{name}: a predictor without rows must refuse to unlearn.")


def check_purge_changes_no_output(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that `purge` changes no output and no attribute, and that unlearning goes on."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 8)
    model = fitted(estimator, rows).unlearn(ids[:4])
    outputs, attributes = outputs_of(model, rows.X), copy.deepcopy(public_attributes(model))
    if model.purge() is not model:
        raise AssertionError(f"{name}: purge must return self.")
    difference = differ(public_attributes(model), attributes, rtol=1e-9) or differ(
        outputs_of(model, rows.X), outputs, rtol=1e-9
    )
    if difference is not None:
        raise AssertionError(f"{name}: purge changed {difference}.")
    retrained = fitted(estimator, rows.without(ids))
    assert_like_retrained(name, model.unlearn(ids[4:]), retrained, rows.X, "after purge")


def roundtrip_checks(estimator: Any) -> list[Any]:
    """Return the checks of this file."""
    return [
        check_copies_are_complete_and_independent,
        check_fit_starts_afresh,
        check_ids_are_sliced_like_rows,
        check_find_samples,
        check_predictor_holds_no_rows,
        check_purge_changes_no_output,
    ]
