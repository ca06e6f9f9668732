"""Joint moments of the rows of each class, which class weights and priors then combine."""

from __future__ import annotations

from typing import Any

import numpy as np

from skunlearn._statistics.joint_moments import JointMoments

ClassMoments = tuple[JointMoments, ...]


def class_moments(
    X: Any, labels: np.ndarray, n_classes: int, weights: np.ndarray | None, rows: np.ndarray
) -> ClassMoments:
    """Compute the moments of each class from rows.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_slots, n_features)
        The table.

    labels : ndarray of shape (n_rows,), dtype intp
        The class of each of the rows.

    n_classes : int
        Number of classes.

    weights : ndarray of shape (n_slots,) or None
        None for unit weights.

    rows : ndarray of shape (n_rows,), dtype intp
        Which rows count.

    Returns
    -------
    moments : tuple of JointMoments
        One per class, of the columns of X.
    """
    return tuple(moments_of(X, weights, rows[labels == label]) for label in range(n_classes))


def moments_of(X: Any, weights: np.ndarray | None, rows: np.ndarray) -> JointMoments:
    """Compute the moments of some rows of a table without targets."""
    if weights is not None and not weights[rows].any():
        columns = np.zeros(X.shape[1])
        square = np.zeros((X.shape[1], X.shape[1]))
        return JointMoments(0.0, columns, columns.copy(), square, columns.copy(), 0)
    return JointMoments.from_rows(X, _no_targets(X), weights, rows, True)


def moments_without(
    moments: JointMoments, X: Any, weights: np.ndarray | None, rows: np.ndarray
) -> JointMoments:
    """Take rows out of such moments."""
    return moments.without(X, _no_targets(X), weights, rows, True)


def _no_targets(X: Any) -> np.ndarray:
    return np.empty((X.shape[0], 0))


def pooled(moments: ClassMoments, shares: np.ndarray, name: str) -> np.ndarray:
    """Add up an attribute of the moments of all classes, each times its share."""
    total = shares[0] * getattr(moments[0], name)
    for share, part in zip(shares[1:], moments[1:], strict=True):
        total += share * getattr(part, name)
    return total
