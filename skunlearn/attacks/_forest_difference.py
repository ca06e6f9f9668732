"""The deleted row, read off two versions of a forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, is_classifier

from skunlearn._samples.ids import check_sample_ids
from skunlearn.attacks._answers import codes_in, n_rows_of
from skunlearn.attacks._scores import Scores, scores_of
from skunlearn.attacks._threat_model import ThreatModel
from skunlearn.attacks._tree_view import TreeView, trees_of, values_of


@dataclass(frozen=True)
class RowBox:
    """Where a deleted row must have been.

    Parameters
    ----------
    low, high : ndarray of shape (n_features,)
        Its value in each column is above `low` and not above `high`; infinite where nothing is
        known, and in categorical columns.

    y : object
        Its label, or its target up to rounding; None where versions do not tell.

    n_trees : int
        Trees that lost the row.
    """

    low: np.ndarray
    high: np.ndarray
    y: Any
    n_trees: int

    def estimate(self, X_reference: Any) -> np.ndarray:
        """Guess the row by rows like it.

        Parameters
        ----------
        X_reference : array-like of shape (n_rows, n_features)
            Rows of the same population, numbers only.

        Returns
        -------
        x : ndarray of shape (n_features,)
            In each column the median of the reference values that are within the box; its middle,
            or the end that is known, where there are none.
        """
        X = np.asarray(X_reference, dtype=np.float64)
        inside = np.greater(X, self.low) & np.less_equal(X, self.high)
        found = np.full(self.low.size, np.nan)
        for j, column in enumerate(X.T):
            if inside[:, j].any():
                found[j] = np.median(column[inside[:, j]])
            elif np.isfinite(self.low[j]) and np.isfinite(self.high[j]):
                found[j] = 0.5 * (self.low[j] + self.high[j])
            else:
                found[j] = self.high[j] if np.isfinite(self.high[j]) else self.low[j]
        return found


class ForestDifference(BaseEstimator):
    """Find the deleted row from two versions of a forest, by where counts have fallen.

    Where trees are functions of their rows, and of nothing that deleting a row shakes up, two
    versions have the same splits nearly everywhere. In each tree that held the row, the number of
    rows has fallen by one along its path. The splits on the paths of all trees enclose it in a box
    that few others are in. It takes both model files, no shadow models and no training: the price
    of forgetting bit by bit.

    Notes
    -----
    It reads forests of :mod:`skunlearn.ensemble` and their predictors, and decision trees and
    random forests of scikit-learn. A stock forest that was fitted again has other bootstrap samples
    in each tree, and tells little.

    Where several rows were deleted, their paths cannot be told apart, so candidates are scored by
    the share of trees in which they may be one of them.

    References
    ----------
    .. [1] Ferry, Fukasawa, Pascal, Vidal: Trained random forests completely reveal your dataset,
       ICML 2024, arXiv 2402.19232, of one version.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skunlearn.attacks import ForestDifference
    >>> from skunlearn.ensemble import UnlearningForestClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> forest = UnlearningForestClassifier(max_samples=0.5, random_state=0)
    >>> before = forest.fit(X, y, sample_ids="row numbers").to_predictor()
    >>> after = forest.unlearn(17).to_predictor()
    >>> attack = ForestDifference()
    >>> np.flatnonzero(attack.score_samples(before, after, X, y) == 1.0)
    array([17])
    >>> box = attack.reconstruct(before, after)
    >>> bool(((box.low < X[17]) & (X[17] <= box.high)).all()), bool(box.y == y[17])
    (True, True)
    """

    threat_model: ClassVar[ThreatModel] = ThreatModel(
        ("R3",), ("G3",), ("K1",), ("P3",), "not in the survey: measured in this package"
    )

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Do nothing: there is nothing to learn.

        Parameters
        ----------
        X, y : object, default=None
            Ignored.

        Returns
        -------
        self : object
            The attack.
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def score_samples(
        self, before: Any, after: Any, X: Any, y: Any = None, *, sample_ids: Any = None
    ) -> Scores:
        """Score how likely each candidate is the row that was deleted, or one of them.

        Parameters
        ----------
        before, after : estimator
            Two versions of a forest, or their predictors.

        X : array-like or data frame of shape (n_rows, n_features)
            Candidates.

        y : array-like of shape (n_rows,), default=None
            Their labels, which count for classifiers where they are known.

        sample_ids : array-like of shape (n_rows,), default=None
            Ids of the rows; default ``X.index`` for a pandas X, else ``0..n_rows-1``.

        Returns
        -------
        scores : ndarray of shape (n_rows,)
            The share of the trees that lost rows in which the candidate is on a path along which
            counts have fallen; 1 for the deleted row.
        """
        pairs = _pairs(before, after)
        n_rows, values = n_rows_of(X), values_of(before, X)
        codes = None
        if y is not None and is_classifier(before):
            codes = codes_in(before.classes_, np.asarray(y))
        n_hits = np.zeros(n_rows)
        for old, new in pairs:
            n_hits[_on_lost_paths(old, new, values, codes)] += 1.0
        ids = check_sample_ids(sample_ids, X, n_rows).values
        return scores_of(n_hits / max(1, len(pairs)), np.arange(n_rows) if ids is None else ids)

    def reconstruct(self, before: Any, after: Any) -> RowBox:
        """Enclose the deleted row.

        Parameters
        ----------
        before, after : estimator
            Two versions of a forest, or their predictors, of which the second lacks one row.

        Returns
        -------
        box : RowBox
            Where the row was, and its label.

        Raises
        ------
        ValueError
            If the versions differ by more than one row, or by none.
        """
        pairs = _pairs(before, after)
        most = max(int(old.sizes[0] - new.sizes[0]) for old, new in pairs)
        if most > 1:
            raise ValueError(
                f"The second version lacks {most} rows or more, whose paths cannot be told apart: "
                "score candidates instead."
            )
        low = np.full(pairs[0][0].is_categorical.size, -np.inf)
        high = -low
        for old, new in pairs:
            _narrow(old, new, low, high)
        old, new = pairs[0]
        return RowBox(low, high, _target(before, old.sums[0] - new.sums[0]), len(pairs))


def _pairs(before: Any, after: Any) -> list[tuple[TreeView, TreeView]]:
    """Return the trees that have lost rows, in both versions."""
    old, new = trees_of(before), trees_of(after)
    if len(old) != len(new):
        raise ValueError(
            f"The versions have {len(old)} and {len(new)} trees: they are of different forests."
        )
    lost = [pair for pair in zip(old, new, strict=True) if pair[0].sizes[0] > pair[1].sizes[0]]
    if not lost:
        raise ValueError("No tree of the second version has fewer rows than in the first.")
    return lost


def _on_lost_paths(
    old: TreeView, new: TreeView, values: np.ndarray, codes: np.ndarray | None
) -> np.ndarray:
    """Return the candidates that are where counts have fallen, down to where the trees part."""
    found = []
    stack = [(0, 0, np.arange(len(values)))]
    while stack:
        node, its, rows = stack.pop()
        if old.sizes[node] <= new.sizes[its] or not rows.size:
            continue
        if codes is not None:
            rows = rows[(old.sums[node] > new.sums[its])[codes[rows]]]
        if not old.same_split(node, new, its):
            found.append(rows)
            continue
        left = old.goes_left(node, values[rows, old.feature[node]])
        stack.append((old.left[node], new.left[its], rows[left]))
        stack.append((old.right[node], new.right[its], rows[~left]))
    return np.concatenate(found) if found else np.empty(0, dtype=np.intp)


def _narrow(old: TreeView, new: TreeView, low: np.ndarray, high: np.ndarray) -> None:
    """Narrow a box by the path along which counts have fallen by one."""
    node = its = 0
    while old.same_split(node, new, its):
        feature, threshold = old.feature[node], float(old.threshold[node])
        to_left = old.sizes[old.left[node]] > new.sizes[new.left[its]]
        if not old.is_categorical[feature]:
            if to_left:
                high[feature] = min(high[feature], threshold)
            else:
                low[feature] = max(low[feature], threshold)
        node, its = (
            (old.left[node], new.left[its]) if to_left else (old.right[node], new.right[its])
        )


def _target(model: Any, lost: np.ndarray) -> Any:
    """Return the label that has one row less; None if sums are not of classes without weights."""
    if is_classifier(model) and lost.size == model.classes_.size and lost.sum() == 1:
        return model.classes_[int(lost.argmax())]
    return None
