"""Models of rows behind an affine map: the moments they see, the rows they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, sparse

from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import dense
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn._unlearning.affine_map import AffineMap


def moments_seen(
    moments: JointMoments, affine_map: AffineMap | None, n_features: int
) -> tuple[JointMoments, np.ndarray]:
    """Return moments of features and targets behind a map, and what features are divided by yet.

    Parameters
    ----------
    moments : JointMoments
        Of columns before the map and of targets.
    affine_map : AffineMap or None
    n_features : int
        Number of features, where there is no map.
    """
    if affine_map is None:
        return moments, np.ones(n_features)
    if affine_map.axes is None:
        return moments, affine_map.scale
    n_targets = moments.mean.size - affine_map.shift.size
    turn = linalg.block_diag(affine_map.axes / affine_map.scale, np.eye(n_targets))
    mean = moments.mean.copy()
    mean[: affine_map.shift.size] -= affine_map.shift
    scatter = turn @ moments.scatter @ turn.T
    seen = JointMoments(
        moments.weight,
        turn @ mean,
        turn @ moments.low,
        0.5 * (scatter + scatter.T),
        (np.abs(turn) @ np.sqrt(moments.peak)) ** 2,
        moments.n_updates,
    )
    return seen, np.ones(affine_map.n_features)


def find_near(
    samples: SampleStore, affine_map: AffineMap, X: Any, y: np.ndarray | None
) -> np.ndarray:
    """Find rows whose map equals any of the given ones up to rounding.

    Parameters
    ----------
    samples : SampleStore
        The rows before the map.
    affine_map : AffineMap
    X : ndarray or CSR array of shape (n_queries, n_features)
        Rows after the map.
    y : ndarray of shape (n_queries,) or (n_queries, n_outputs) or None
        Where given, targets must be equal too.

    Returns
    -------
    slots : ndarray of dtype intp
        Sorted, without repeats.
    """
    slots = samples.slots()
    held, X = dense(samples.X, slots), X.toarray() if sparse.issparse(X) else X
    table = affine_map.of(held)
    longest = (np.abs(held).max(axis=0) + np.abs(affine_map.shift)) / affine_map.scale
    if affine_map.axes is not None:
        longest = np.abs(affine_map.axes) @ longest * len(longest)
    tolerance = 32 * np.finfo(table.dtype).eps * longest
    found = []
    for at, row in enumerate(X):
        near = slots[(np.abs(table - row) <= tolerance).all(axis=1)]
        if y is not None and samples.y is not None:
            near = near[[bool(np.all(samples.y[slot] == y[at])) for slot in near]]
        found.append(near)
    return np.unique(np.concatenate(found)) if found else slots[:0]
