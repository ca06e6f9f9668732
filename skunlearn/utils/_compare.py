"""Comparison of an unlearned model with a retrained one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._unlearning.tags import UnlearningTags, get_unlearning_tags
from skunlearn.utils._difference import Difference, differ, public_attributes

OUTPUTS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "score_samples",
)

# What tells how long a solver took is no part of what it found.
DIAGNOSTICS = frozenset({"n_iter_"})

# What a bound is on the distance of.
_BOUNDED = ("coef_", "intercept_", "dual_coef_", "cluster_centers_")

# Outputs may be less well conditioned than the attributes for which a tolerance is declared.
OUTPUT_FACTOR = 100.0


def outputs_of(model: Any, X: Any) -> dict[str, Any]:
    """Return what every predicting and transforming method of a model makes of X."""
    return {name: getattr(model, name)(X) for name in OUTPUTS if hasattr(model, name)}


def broken_promise(
    model: Any, retrained: Any, X: Any, *, outputs_only: bool = False
) -> Difference | None:
    """Find where an unlearned model breaks its promise to be like the retrained one.

    Parameters
    ----------
    model : estimator
        The unlearned model.

    retrained : estimator
        The same estimator fitted on the remaining rows.

    X : array-like of shape (n_samples, n_features)
        Rows on which outputs are compared.

    outputs_only : bool, default=False
        Whether attributes are compared by shape and type only.

    Returns
    -------
    difference : Difference or None
        The first one found.
    """
    tags: Any = get_unlearning_tags(model)
    kind = kind_claimed(model)
    ours, theirs = public_attributes(model), public_attributes(retrained)
    exempt = {*getattr(model, "_accounts", ()), *(DIAGNOSTICS if kind != "bitwise" else ())}
    for name in exempt:
        ours.pop(name, None)
        theirs.pop(name, None)
    if kind in ("bitwise", "numerical"):
        rtol, private = _tolerance(tags), kind == "bitwise"
        return differ(
            ours, theirs, rtol=np.inf if outputs_only else rtol, private=private
        ) or differ_in_outputs(model, retrained, X, rtol=OUTPUT_FACTOR * rtol)
    difference = differ(ours, theirs, rtol=np.inf, private=False)
    if difference is None and kind == "bounded":
        bound = model.unlearning_report_.guarantee.bound
        if tags.kind == "bounded":
            return _beyond_bound(bound, ours, theirs)
        if bound is not None and np.isfinite(bound):
            return _beyond_bound(bound, ours, theirs, rtol=_tolerance(tags))
    return difference


def kind_claimed(model: Any) -> str:
    """Return the kind that a model promises: its tags', or a weaker one that its report owns up to.

    A promise of floats may be out of reach for some data; the report of the request then says so,
    and what is left of it is a bound, an infinite one if nothing is proved.
    """
    tags: Any = get_unlearning_tags(model)
    report = getattr(model, "unlearning_report_", None)
    if tags.kind == "numerical" and report is not None:
        return report.guarantee.kind
    return tags.kind


def differ_in_outputs(model: Any, retrained: Any, X: Any, *, rtol: float) -> Difference | None:
    """Find an output for which an unlearned model differs from the retrained one.

    Parameters
    ----------
    model, retrained : estimator
        Fitted, of one class.

    X : array-like of shape (n_samples, n_features)
        Rows to predict or transform.

    rtol : float
        As for :func:`~skunlearn.utils._difference.differ`. Where it is not zero, outputs may also
        differ by what the rounding of X can change in them, up to a factor of `OUTPUT_FACTOR`.

    Returns
    -------
    difference : Difference or None
        The first one found.
    """
    ours, theirs = outputs_of(model, X), outputs_of(retrained, X)
    difference = differ(ours, theirs, rtol=rtol)
    if difference is None or rtol == 0.0:
        return difference
    moved = outputs_of(retrained, _rounded_otherwise(X))
    allowed = {name: rtol + OUTPUT_FACTOR * _gap(moved[name], theirs[name]) for name in ours}
    for name in ours:
        result = ours[name]
        if name == "predict" and result.shape == theirs[name].shape:
            result = np.where(_are_tied(retrained, result, theirs, allowed), theirs[name], result)
        difference = differ(result, theirs[name], rtol=allowed[name], where=name)
        if difference is not None:
            return difference
    return None


def _are_tied(
    model: Any, labels: np.ndarray, outputs: dict[str, Any], allowed: dict[str, float]
) -> np.ndarray:
    """Tell for which rows the scores that a model gives to its own label and another are one.

    Which of them wins is then a matter of rounding.
    """
    tied = np.zeros(labels.shape, dtype=bool)
    classes = getattr(model, "classes_", None)
    if labels.ndim != 1 or classes is None or not np.isin(labels, classes).all():
        return tied
    both = [np.searchsorted(classes, each) for each in (labels, outputs["predict"])]
    for name in ("predict_proba", "decision_function"):
        scores = outputs.get(name)
        if scores is None:
            continue
        scale = np.abs(scores).max(initial=0.0)
        if scores.ndim == 1:
            scores = np.column_stack([-0.5 * scores, 0.5 * scores])
        if scores.shape[1] == classes.size:
            ahead = np.subtract(*[scores[np.arange(labels.size), codes] for codes in both])
            tied |= np.abs(ahead) <= allowed[name] * scale
    return tied


def _rounded_otherwise(X: Any) -> Any:
    """Move the entries of a table by about one rounding, this way and that; zeros stay zero."""
    if sparse.issparse(X):
        X = X.copy()
        X.data = _rounded_otherwise(X.data)
        return X
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "fiu":
        return X
    X = X if X.dtype.kind == "f" else X.astype(np.float64)
    signs = 1.0 - 2.0 * (np.indices(X.shape).sum(axis=0) % 2)
    return X * (1.0 + signs * np.finfo(X.dtype).eps).astype(X.dtype)


def _gap(a: Any, b: Any) -> float:
    """Return the largest difference of two outputs of floats in units of the largest entry."""
    if isinstance(a, list):
        return max((_gap(*pair) for pair in zip(a, b, strict=True)), default=0.0)
    a, b = (np.asarray(each.toarray() if sparse.issparse(each) else each) for each in (a, b))
    if a.dtype.kind != "f" or a.shape != b.shape:
        return 0.0
    finite = np.isfinite(a) & np.isfinite(b)
    scale = np.abs(b[finite]).max(initial=0.0)
    return float(np.abs(a[finite] - b[finite]).max(initial=0.0) / scale) if scale else 0.0


def _tolerance(tags: UnlearningTags) -> float:
    if tags.kind == "bitwise":
        return 0.0
    if tags.tolerance is None:
        raise AssertionError("The unlearning tags say kind 'numerical' but state no tolerance.")
    return tags.tolerance


def _beyond_bound(
    bound: float | None, ours: dict, theirs: dict, *, rtol: float = 0.0
) -> Difference | None:
    """Compare with a bound on the distance to the optimum, which retraining may miss by `rtol`."""
    if bound is None or not np.isfinite(bound):
        return Difference("unlearning_report_.guarantee.bound", f"no bound is stated ({bound})")
    names = [name for name in _BOUNDED if name in ours]
    gaps = [np.ravel(np.asarray(ours[name], dtype=float) - theirs[name]) for name in names]
    distance = float(np.linalg.norm(np.concatenate(gaps)))
    size = float(np.linalg.norm(np.concatenate([np.ravel(theirs[name]) for name in names])))
    if distance <= bound + rtol * size:
        return None
    return Difference(
        "coef_", f"is {distance:.3g} from the retrained one, the bound is {bound:.3g}"
    )
