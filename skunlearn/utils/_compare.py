"""Comparison of an unlearned model with a retrained one."""

from __future__ import annotations

from typing import Any

import numpy as np

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

# Outputs may be less well conditioned than the attributes for which a tolerance is declared.
OUTPUT_FACTOR = 100.0


def outputs_of(model: Any, X: Any) -> dict[str, Any]:
    """Return what every predicting and transforming method of a model makes of X."""
    return {name: getattr(model, name)(X) for name in OUTPUTS if hasattr(model, name)}


def broken_promise(model: Any, retrained: Any, X: Any) -> Difference | None:
    """Find where an unlearned model breaks its promise to be like the retrained one.

    Parameters
    ----------
    model : estimator
        The unlearned model.

    retrained : estimator
        The same estimator fitted on the remaining rows.

    X : array-like of shape (n_samples, n_features)
        Rows on which outputs are compared.

    Returns
    -------
    difference : Difference or None
        The first one found.
    """
    tags: Any = get_unlearning_tags(model)
    ours, theirs = public_attributes(model), public_attributes(retrained)
    exempt = {*getattr(model, "_accounts", ()), *(DIAGNOSTICS if tags.kind != "bitwise" else ())}
    for name in exempt:
        ours.pop(name, None)
        theirs.pop(name, None)
    if tags.kind in ("bitwise", "numerical"):
        rtol, private = _tolerance(tags), tags.kind == "bitwise"
        return differ(ours, theirs, rtol=rtol, private=private) or differ(
            outputs_of(model, X), outputs_of(retrained, X), rtol=OUTPUT_FACTOR * rtol
        )
    difference = differ(ours, theirs, rtol=np.inf, private=False)
    if difference is None and tags.kind == "bounded":
        return _beyond_bound(model.unlearning_report_.guarantee.bound, ours, theirs)
    return difference


def _tolerance(tags: UnlearningTags) -> float:
    if tags.kind == "bitwise":
        return 0.0
    if tags.tolerance is None:
        raise AssertionError("The unlearning tags say kind 'numerical' but state no tolerance.")
    return tags.tolerance


def _beyond_bound(bound: float | None, ours: dict, theirs: dict) -> Difference | None:
    if bound is None or not np.isfinite(bound):
        return Difference("unlearning_report_.guarantee.bound", f"no bound is stated ({bound})")
    gaps = [
        np.linalg.norm(np.ravel(np.asarray(ours[name], dtype=float) - theirs[name]))
        for name in ("coef_", "intercept_", "dual_coef_", "cluster_centers_")
        if name in ours
    ]
    distance = float(np.linalg.norm(gaps))
    if distance <= bound:
        return None
    return Difference(
        "coef_", f"is {distance:.3g} from the retrained one, the bound is {bound:.3g}"
    )
