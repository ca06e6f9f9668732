"""What a request reports, and that it says what the tags promise (contract, section 5)."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np

from skunlearn._unlearning.report import KINDS, SCOPES, UnlearningReport
from skunlearn._unlearning.tags import UnlearningTags, get_unlearning_tags
from skunlearn.exceptions import RowNumberWarning, UnknownSampleError
from skunlearn.utils._checks.data import fitted, make_rows, some_ids


def check_tags_state_the_promise(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that the static promise is there and makes sense."""
    tags = get_unlearning_tags(estimator)
    if not isinstance(tags, UnlearningTags) or tags.kind not in KINDS or tags.scope not in SCOPES:
        raise AssertionError(f"{name}: the unlearning tags must state a known promise: {tags}.")
    if (tags.kind == "numerical") != (tags.tolerance is not None):
        raise AssertionError(f"{name}: kind 'numerical', and no other, states a tolerance: {tags}.")


def check_report(name: str, estimator: Any, seed: int = 0) -> None:
    """Check the counts and the guarantee of `unlearning_report_` after each request."""
    rows = make_rows(estimator, seed)
    ids = np.random.default_rng(seed).integers(0, 30, size=len(rows.ids))
    rows = rows.replace(ids=ids)
    model = fitted(estimator, rows)
    if hasattr(model, "unlearning_report_"):
        raise AssertionError(f"{name}: there must be no `unlearning_report_` before a request.")
    n_remaining = len(ids)
    forget = some_ids(rows, np.random.default_rng(seed), 5)
    for request in (forget[:1], forget[1:], []):
        model.unlearn([*request, *request])
        n_removed = int(np.isin(ids, request).sum())
        n_remaining -= n_removed
        report = model.unlearning_report_
        if not isinstance(report, UnlearningReport):
            raise AssertionError(f"{name}: `unlearning_report_` must be an UnlearningReport.")
        for field, truth in {
            "estimator": type(model).__name__,
            "n_requested": len(request),
            "n_removed": n_removed,
            "n_remaining": n_remaining,
        }.items():
            if getattr(report, field) != truth:
                raise AssertionError(
                    f"{name}: the report is wrong: {field} is {getattr(report, field)!r}, "
                    f"should be {truth!r}."
                )
        if not 0 <= report.n_refitted <= report.n_parts or report.seconds < 0:
            raise AssertionError(f"{name}: the report counts more parts than there are: {report}")
        _check_guarantee(name, report.guarantee, get_unlearning_tags(model))
        _check_texts(name, model, report)


def check_source_of_ids(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that a request by row number warns, once, and that a model says whence its ids are."""
    rows = make_rows(estimator, seed)
    for ids, source, n_warnings in (
        (None, "row numbers", 1),
        ("row numbers", "row numbers", 0),
        (rows.ids, "sample_ids", 0),
    ):
        model = fitted(estimator, rows.replace(ids=ids))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            for row in (5, 7):
                model.unlearn(model.sample_ids_[row])
        found = sum(issubclass(warning.category, RowNumberWarning) for warning in seen)
        if found != n_warnings:
            raise AssertionError(
                f"{name}: two requests where ids come from {source!r} gave {found} "
                f"RowNumberWarning, should be {n_warnings}."
            )
        said = {"the report": model.unlearning_report_.id_source}
        try:
            model.unlearn("nobody")
        except UnknownSampleError as error:
            said["UnknownSampleError"] = error.id_source
        for what, text in said.items():
            if text != source:
                raise AssertionError(
                    f"{name}: {what} says that ids come from {text!r}, should be {source!r}."
                )


def _check_guarantee(name: str, guarantee: Any, tags: Any) -> None:
    if guarantee.kind != tags.kind:
        raise AssertionError(
            f"{name}: the report is wrong: it claims kind {guarantee.kind!r}, the tags promise "
            f"{tags.kind!r}."
        )
    if tags.scope == "state" and guarantee.scope != "state":
        raise AssertionError(f"{name}: the report claims less than the tags, scope 'state'.")
    if tags.kind == "certified" and not (
        guarantee.epsilon is not None
        and guarantee.epsilon >= 0.0
        and guarantee.delta is not None
        and 0.0 <= guarantee.delta < 1.0
    ):
        raise AssertionError(
            f"{name}: a report of kind 'certified' must state epsilon and delta: {guarantee}."
        )
    if guarantee.error is not None and not guarantee.error <= (tags.tolerance or 0.0):
        raise AssertionError(
            f"{name}: the report states an error of {guarantee.error:.2g}, above the tolerance "
            f"{tags.tolerance} that the tags promise."
        )


def _check_texts(name: str, model: Any, report: UnlearningReport) -> None:
    texts = {
        "str(report)": str(report),
        "the report's HTML": report._repr_html_(),
        "the model's HTML": model._repr_mimebundle_()["text/html"],
    }
    for what, text in texts.items():
        if report.guarantee.kind not in text or f"{report.n_remaining:,}" not in text:
            raise AssertionError(f"{name}: {what} must state the guarantee and the remaining rows.")
    try:
        import pandas  # noqa: F401
    except ImportError:
        return
    frame = report.to_frame()
    for field in dataclasses.fields(report):
        value = getattr(report, field.name)
        if isinstance(value, int) and frame[field.name].iloc[0] != value:
            raise AssertionError(f"{name}: to_frame() changes {field.name}.")


def report_checks(estimator: Any) -> list[Any]:
    """Return the checks of this file."""
    return [check_tags_state_the_promise, check_report, check_source_of_ids]
