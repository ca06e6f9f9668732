"""What scores of columns are made of: kept, updated when rows leave, rebuilt where imprecise.

A scorer is the state behind one score function. `without` makes the scorer of the remaining rows;
`rebuild` computes columns of it anew from rows; `error` estimates the relative rounding error.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse, special
from sklearn.feature_selection import (
    chi2,
    f_classif,
    f_regression,
    mutual_info_classif,
    mutual_info_regression,
    r_regression,
)
from sklearn.utils.multiclass import check_classification_targets

from skunlearn._kernels.column_moments import PER_UPDATE
from skunlearn._kernels.counts import count_entries, count_rows, to_floats
from skunlearn._kernels.univariate_scores import cross_scatter
from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import for_kernel, overwrite
from skunlearn._statistics import column_moments
from skunlearn._statistics.column_moments import UNIT_WEIGHTS
from skunlearn.feature_selection._selector import relative_error

# Rounding that squares of a constant column may leave, in units of EPS times the square of the
# largest error of its mean.
_DUST = 64.0

# Part of a class that, when no more of it is left, only its rows can tell the moments of.
_FEW = 1e-6

# Entries of X that can be summed exactly, as in the naive Bayes classifiers of counts.
_LARGEST = 2.0**40
_LARGEST_SUM = 2.0**62
# Sums drop what is finer than 2**-80.
_LEAST_SUM = 2.0**-40

Scores = tuple[np.ndarray, np.ndarray]


def _dust(n_samples: float, mean: np.ndarray) -> np.ndarray:
    """Bound the scatter that rounding makes of a column that is constant."""
    return _DUST * EPS * n_samples * (n_samples * EPS * mean) ** 2


class Scorer(ABC):
    """The state behind one score function of scikit-learn."""

    @classmethod
    @abstractmethod
    def from_rows(cls, X: Any, y: np.ndarray, rows: np.ndarray) -> Scorer:
        """Make the scorer of some rows of a table."""

    @abstractmethod
    def without(self, X: Any, y: np.ndarray, rows: np.ndarray) -> Scorer:
        """Make the scorer without the given rows; `self` is not changed.

        Raises
        ------
        ValueError
            If no scores can be computed from what is left.
        """

    @abstractmethod
    def scores(self) -> Scores:
        """Compute score and p-value of each column."""

    @abstractmethod
    def pvalues(self, scores: np.ndarray) -> np.ndarray:
        """Compute the p-values of scores."""

    @abstractmethod
    def error(self, scores: np.ndarray) -> np.ndarray:
        """Estimate the relative rounding error of each column's score."""

    @abstractmethod
    def rebuild(self, X: Any, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
        """Compute the state of some columns from the rows, in place."""

    @abstractmethod
    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""

    def constant(self) -> np.ndarray:
        """Return the columns that scikit-learn's function warns of."""
        return np.empty(0, dtype=np.intp)


class _OfClasses(Scorer):
    """Scorers of labels."""

    classes: np.ndarray

    def _labels(self, y: np.ndarray) -> np.ndarray:
        return self.classes.searchsorted(y)

    @staticmethod
    def _check_classes(n_classes: int) -> None:
        if n_classes < 2:
            raise ValueError("Scores of features against y need two classes; y has one class.")


class AnovaScorer(_OfClasses):
    """`f_classif`: the moments of each class."""

    _float_residue = ("moments", "updates")

    def __init__(self, classes: np.ndarray, moments: np.ndarray, updates: np.ndarray) -> None:
        self._check_classes(classes.size)
        self.classes = classes
        self.moments = moments  # of shape (n_classes, 5, n_features)
        self.updates = updates

    @classmethod
    def from_rows(cls, X: Any, y: np.ndarray, rows: np.ndarray) -> AnovaScorer:
        """Make the scorer of some rows of a table."""
        classes, labels = np.unique(y[rows], return_inverse=True)
        moments = cls._moments(X, labels, classes.size, rows)
        return cls(classes, moments, np.zeros(X.shape[1]))

    @staticmethod
    def _moments(X: Any, labels: np.ndarray, n_classes: int, rows: np.ndarray) -> np.ndarray:
        parts = [rows[labels == label] for label in range(n_classes)]
        return np.stack([column_moments.from_rows(X, None, part) for part in parts])

    def without(self, X: Any, y: np.ndarray, rows: np.ndarray) -> AnovaScorer:
        """Make the scorer without the given rows."""
        labels = self._labels(y[rows])
        moments, updates = self.moments.copy(), self.updates + 1
        for label in np.unique(labels).tolist():
            gone = rows[labels == label]
            moments[label] = column_moments.without_rows(moments[label], X, None, gone)[0]
            if 0.0 < moments[label, 0, 0] < _FEW * self.moments[label, 0, 0]:
                updates[:] = np.inf
        keep = moments[:, 0, 0] > 0.0
        return AnovaScorer(self.classes[keep], moments[keep], updates)

    def _sums(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the number of rows, and the scatter between and within classes."""
        count, mean, low = self.moments[:, 0], self.moments[:, 1], self.moments[:, 4]
        n_samples = float(count[:, 0].sum())
        gap = mean - (count * mean).sum(axis=0) / n_samples + low
        between = (count * gap**2).sum(axis=0) - (count * gap).sum(axis=0) ** 2 / n_samples
        within = self.moments[:, 2].sum(axis=0)
        dust = _dust(n_samples, np.abs(mean).max(axis=0))
        within[within <= dust] = 0.0
        # Means that differ by rounding alone: of all columns, and of those with nothing within.
        between[between <= np.where(within > 0.0, (_DUST * EPS) ** 2 * within, dust / EPS)] = 0.0
        return n_samples, between, within

    def scores(self) -> Scores:
        """Compute F statistics and their p-values."""
        n_samples, between, within = self._sums()
        with np.errstate(divide="ignore", invalid="ignore"):
            between /= self.classes.size - 1
            within /= n_samples - self.classes.size
            scores = between / within
        return scores, self.pvalues(scores)

    def pvalues(self, scores: np.ndarray) -> np.ndarray:
        """Compute the p-values of scores."""
        n_samples = self.moments[:, 0, 0].sum()
        return special.fdtrc(self.classes.size - 1, n_samples - self.classes.size, scores)

    def error(self, scores: np.ndarray) -> np.ndarray:
        """Estimate the relative rounding error of each column's score."""
        error = relative_error(
            self.moments[:, 3].sum(axis=0), self.moments[:, 2].sum(axis=0), self.updates
        )
        n_samples, mean = self.moments[:, 0, 0].sum(), np.abs(self.moments[:, 1]).max(axis=0)
        constant = self.moments[:, 3].sum(axis=0) <= _dust(n_samples, mean)
        return np.where(constant, PER_UPDATE * EPS, error)

    def rebuild(self, X: Any, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
        """Compute the state of some columns from the rows, in place."""
        labels = self._labels(y[rows])
        part = X[:, columns]
        self.moments[:, :, columns] = self._moments(part, labels, self.classes.size, rows)
        self.updates[columns] = 0

    def constant(self) -> np.ndarray:
        """Return the columns that scikit-learn's function warns of."""
        _, between, within = self._sums()
        return np.flatnonzero(within == 0.0) if (between == 0.0).any() else super().constant()

    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""
        overwrite(self.classes)
        overwrite(self.moments, self.updates)


class ChiSquareScorer(_OfClasses):
    """`chi2`: the sum of each column in each class, exact."""

    def __init__(self, classes: np.ndarray, totals: np.ndarray, counts: np.ndarray) -> None:
        self._check_classes(classes.size)
        self.classes = classes
        self.totals = totals  # as in skunlearn._kernels.counts
        self.counts = counts

    @classmethod
    def from_rows(cls, X: Any, y: np.ndarray, rows: np.ndarray) -> ChiSquareScorer:
        """Make the scorer of some rows of a table."""
        check_classification_targets(y)
        entries = X.data if sparse.issparse(X) else X
        if entries.min(initial=0.0) < 0.0:
            raise ValueError("Input X must be non-negative.")
        largest = float(entries.max(initial=0.0))
        if largest >= _LARGEST or largest * X.shape[0] >= _LARGEST_SUM:
            raise ValueError(
                "chi2 adds up entries of X exactly, for which each must be below 2**40 (1.1e12) "
                f"and their sum below 2**62; here they reach {largest:.3g} in {X.shape[0]} rows. "
                "Rescale X."
            )
        classes, labels = np.unique(y[rows], return_inverse=True)
        totals = np.zeros((3, classes.size, X.shape[1] + 1), dtype=np.int64)
        counts = np.zeros((2, classes.size), dtype=np.int64)
        totals, counts = _counted(totals, counts, X, labels, rows, 1)
        positive = (X[rows] > 0.0).sum(axis=0) > 0
        _refuse_tiny(totals, np.asarray(positive))
        return cls(classes, totals, counts)

    def without(self, X: Any, y: np.ndarray, rows: np.ndarray) -> ChiSquareScorer:
        """Make the scorer without the given rows."""
        labels = self._labels(y[rows])
        totals, counts = _counted(self.totals, self.counts, X, labels, rows, -1)
        _refuse_tiny(totals, np.asarray(totals[:, :, :-1].any(axis=(0, 1))))
        keep = counts[0] > 0
        return ChiSquareScorer(self.classes[keep], totals[:, keep], counts[:, keep])

    def scores(self) -> Scores:
        """Compute chi-squared statistics and their p-values."""
        observed, count = to_floats(self.totals)
        expected = np.outer(count / count.sum(), observed.sum(axis=0))
        with np.errstate(invalid="ignore"):
            scores = ((observed - expected) ** 2 / expected).sum(axis=0)
        return scores, self.pvalues(scores)

    def pvalues(self, scores: np.ndarray) -> np.ndarray:
        """Compute the p-values of scores."""
        return special.chdtrc(self.classes.size - 1, scores)

    def error(self, scores: np.ndarray) -> np.ndarray:
        """Return zeros: nothing wears."""
        return np.zeros(self.totals.shape[2] - 1)

    def rebuild(self, X: Any, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
        """Leave everything as it is: nothing wears."""

    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""
        overwrite(self.classes)
        overwrite(self.totals, self.counts)


def _refuse_tiny(totals: np.ndarray, positive: np.ndarray) -> None:
    """Refuse columns with entries above zero whose sums drop too many digits."""
    tiny = positive & (to_floats(totals)[0].sum(axis=0) < _LEAST_SUM)
    if tiny.any():
        raise ValueError(
            "chi2 adds up entries of X exactly, for which columns must be zero or add up to 2**-40 "
            f"(9.1e-13); {int(tiny.sum())} of them do not. Rescale X."
        )


def _counted(
    totals: np.ndarray, counts: np.ndarray, X: Any, labels: np.ndarray, rows: np.ndarray, sign: int
) -> tuple[np.ndarray, np.ndarray]:
    rest = (UNIT_WEIGHTS, labels, rows, np.nan, sign)
    if sparse.issparse(X):
        return count_entries(totals, counts, X.data, X.indices, X.indptr, *rest)
    return count_rows(totals, counts, X, *rest)


class CorrelationScorer(Scorer):
    """`f_regression`: the moments of each column and of y, and their joint scatter."""

    _float_residue = ("moments", "target", "updates")

    def __init__(
        self, moments: np.ndarray, target: np.ndarray, cross: np.ndarray, updates: np.ndarray
    ) -> None:
        self.moments = moments  # of shape (5, n_features)
        self.target = target  # of shape (5, 1)
        self.cross = cross
        self.updates = updates

    @classmethod
    def from_rows(cls, X: Any, y: np.ndarray, rows: np.ndarray) -> CorrelationScorer:
        """Make the scorer of some rows of a table."""
        moments = column_moments.from_rows(X, None, rows)
        target = column_moments.from_rows(y[:, None], None, rows)
        cross = _cross(X, y, rows, moments, target)
        return cls(moments, target, cross, np.zeros(X.shape[1]))

    def without(self, X: Any, y: np.ndarray, rows: np.ndarray) -> CorrelationScorer:
        """Make the scorer without the given rows."""
        part, positions = for_kernel(X, rows)
        gap = part[positions] - self.moments[1] - self.moments[4]
        step = y[rows] - self.target[1] - self.target[4]
        kept = self.target[0, 0] - rows.size
        return CorrelationScorer(
            column_moments.without_rows(self.moments, X, None, rows)[0],
            column_moments.without_rows(self.target, y[:, None], None, rows)[0],
            self.cross - step @ gap - gap.sum(axis=0) * step.sum() / kept,
            self.updates + 1,
        )

    def _explained(self) -> np.ndarray:
        """Return the part of the scatter of y that each column explains."""
        n_samples, scatter = self.target[0, 0], self.moments[2]
        rest = self.target[2, 0]
        scatter = np.where(scatter <= _dust(n_samples, self.moments[1]), 0.0, scatter)
        rest = 0.0 if rest <= _dust(n_samples, self.target[1, 0]) else rest
        with np.errstate(divide="ignore", invalid="ignore"):
            explained = (self.cross / np.sqrt(scatter) / np.sqrt(rest)) ** 2
        explained[(scatter == 0.0) | (rest == 0.0)] = 0.0
        return explained

    def scores(self) -> Scores:
        """Compute F statistics and their p-values."""
        explained = self._explained()
        freedom = self.target[0, 0] - 2
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = explained / (1.0 - explained) * freedom
        scores[np.isinf(scores)] = np.finfo(scores.dtype).max
        nothing = np.isnan(scores) | (explained == 0.0) | (freedom <= 0)
        scores[nothing] = 0.0
        pvalues = self.pvalues(scores)
        pvalues[nothing] = 1.0
        return scores, pvalues

    def pvalues(self, scores: np.ndarray) -> np.ndarray:
        """Compute the p-values of scores."""
        return special.fdtrc(1, self.target[0, 0] - 2, scores)

    def error(self, scores: np.ndarray) -> np.ndarray:
        """Estimate the relative rounding error of each column's score."""
        n_samples = self.target[0, 0]
        error = relative_error(self.moments[3], self.moments[2], self.updates)
        of_target = relative_error(self.target[3], self.target[2], self.updates)
        worst = np.maximum(error, of_target)
        with np.errstate(over="ignore", divide="ignore"):
            # What a column leaves of the scatter of y is a small difference where scores are large.
            worst *= 1.0 + np.abs(scores) / max(n_samples - 2, 1)
        constant = self.moments[3] <= _dust(n_samples, self.moments[1])
        constant |= self.target[3] <= _dust(n_samples, self.target[1])
        return np.where(constant | (self.updates == 0), PER_UPDATE * EPS, worst)

    def rebuild(self, X: Any, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
        """Compute the state of some columns from the rows, in place."""
        part = X[:, columns]
        self.moments[:, columns] = column_moments.from_rows(part, None, rows)
        self.target[:] = column_moments.from_rows(y[:, None], None, rows)
        self.cross[columns] = _cross(part, y, rows, self.moments[:, columns], self.target)
        self.updates[columns] = 0

    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""
        overwrite(self.moments, self.target, self.cross, self.updates)


def _cross(
    X: Any, y: np.ndarray, rows: np.ndarray, moments: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Sum products of the distances of columns and of y to their means."""
    gap = y[rows] - target[1] - target[4]
    if sparse.issparse(X):
        return X[rows].astype(np.float64).T @ gap - moments[1] * gap.sum()
    return cross_scatter(X, gap, moments[1], rows)


SCORERS: dict[Any, type[Scorer]] = {
    f_classif: AnovaScorer,
    chi2: ChiSquareScorer,
    f_regression: CorrelationScorer,
}


def repeats_itself(function: Any) -> bool:
    """Tell whether a score function is known to make the same of the same rows each time.

    scikit-learn's functions do, with keywords fixed by :func:`functools.partial` or not; those that
    draw numbers only if `random_state` is fixed to an integer. Of others nobody can know.
    """
    fixed: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        fixed = function.keywords | fixed
        function = function.func
    if function in (mutual_info_classif, mutual_info_regression):
        return isinstance(fixed.get("random_state"), Integral)
    return function in (*SCORERS, r_regression)
