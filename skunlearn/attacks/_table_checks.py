"""What rows tell by themselves, without a model: whether kinds differ, how unique each is."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from skunlearn.attacks._auc import Auc, auc_of
from skunlearn.attacks._table_encoder import TableEncoder

# Rows that are enough to see a shift, or among which neighbours are looked for.
_ENOUGH = 2000

_MOST_FOLDS = 3


def shift_between(X: Any, truth: np.ndarray) -> Auc:
    """Tell how well a classifier that sees rows only tells members from non-members.

    Parameters
    ----------
    X : array-like or data frame of shape (n_rows, n_features)
    truth : ndarray of shape (n_rows,), dtype bool

    Returns
    -------
    auc : Auc
        Of predictions for folds that the classifier was not fitted on.
    """
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(truth.size)[:_ENOUGH])
    Z, kind = TableEncoder().fit_transform(X)[rows], truth[rows]
    n_folds = min(_MOST_FOLDS, int(kind.sum()), int((~kind).sum()))
    if n_folds < 2:
        return Auc(0.5, 0.5, np.inf, 1.0)
    classifier = RandomForestClassifier(30, min_samples_leaf=5, random_state=0)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    told = cross_val_predict(classifier, Z, kind, cv=folds, method="predict_proba")[:, 1]
    return auc_of(told, kind)


def uniqueness_of(X: Any) -> np.ndarray:
    """Return each row's distance to the nearest other row, among 2,000 drawn at random.

    Parameters
    ----------
    X : array-like or data frame of shape (n_rows, n_features)

    Returns
    -------
    distances : ndarray of shape (n_rows,)
    """
    Z = TableEncoder().fit_transform(X)
    n_rows = Z.shape[0]
    rng = np.random.default_rng(0)
    drawn = np.sort(rng.permutation(n_rows)[:_ENOUGH])
    n_neighbors = min(2, drawn.size)
    search = NearestNeighbors(n_neighbors=n_neighbors).fit(Z[drawn])
    distances, found = search.kneighbors(Z)
    is_self = drawn[found[:, 0]] == np.arange(n_rows)
    return np.where(is_self, distances[:, -1], distances[:, 0])
