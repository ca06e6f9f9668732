"""What both discriminant analyses share: rows as moments per class, classes that vanish."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import LinAlgError, lapack
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.covariance import empirical_covariance, ledoit_wolf
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets

from skunlearn._linalg.precision import EPS
from skunlearn._samples.strings import narrowed
from skunlearn._statistics.class_moments import ClassMoments, class_moments, moments_without
from skunlearn._validation import validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError

Rows = Callable[[], np.ndarray]


class DiscriminantAnalysis(UnlearnerMixin, ClassifierMixin, BaseEstimator, ABC):
    """Gaussians with a common or a separate covariance for each class."""

    _overwritten: ClassVar[tuple[str, ...]] = ("_moments",)

    # Relative float error above which moments are computed anew from the remaining rows.
    _tolerance: ClassVar[float]

    classes_: np.ndarray
    shrinkage: Any
    priors: Any
    covariance_estimator: Any
    _moments: ClassMoments

    @abstractmethod
    def _derive(
        self,
        moments: ClassMoments,
        classes: np.ndarray,
        touched: list[int],
        rows: Rows,
        fresh: bool,
    ) -> tuple[dict[str, Any], float, int]:
        """Derive the model from moments.

        Parameters
        ----------
        moments : tuple of JointMoments
            One for each class.

        classes : ndarray of shape (n_classes,)
            Labels.

        touched : list of int
            Positions of the classes that have changed.

        rows : callable
            Returns the slots of the rows that `moments` stand for.

        fresh : bool
            Whether they have just been computed from these rows, or else updated.

        Returns
        -------
        attributes : dict
            Fitted attributes; of no use where the error passes the tolerance.

        error : float
            Estimated relative error; infinite where only the rows themselves can tell.

        n_refitted : int
            Classes computed anew.
        """

    def _fit(self, X: Any, y: Any, sample_ids: Any) -> None:
        sources = (X, y, None)
        X, y = validate_data(self, X, y, ensure_min_samples=2, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        classes = np.unique(y)
        self._hold_samples(X, y, sources=sources, sample_ids=sample_ids)
        self.__dict__.update(self._from_rows(self._samples.slots(), classes))

    def _from_rows(self, rows: np.ndarray, classes: np.ndarray) -> dict[str, Any]:
        """Compute moments and model from rows, as retraining does."""
        labels = classes.searchsorted(self._fit_targets(rows))
        moments = class_moments(self._samples.X, labels, classes.size, None, rows)
        return self._derive(moments, classes, list(range(classes.size)), lambda: rows, True)[0]

    def _unlearn(self, rows: np.ndarray) -> Removal:
        labels = self.classes_.searchsorted(self._samples.y[rows])
        try:
            return self._without(rows, labels)
        except ValueError as error:
            raise NotUnlearnableError(
                f"{type(self).__name__} cannot be fitted on the rows that would remain: {error} "
                "Nothing was changed."
            ) from error

    def _without(self, rows: np.ndarray, labels: np.ndarray) -> Removal:
        X, classes = self._samples.X, self.classes_
        moments: list[Any] = list(self._moments)
        touched = sorted(set(labels.tolist()))
        for label in touched:
            gone = rows[labels == label]
            left = moments[label].weight > gone.size
            moments[label] = moments_without(moments[label], X, None, gone) if left else None
        if None in moments:
            keep = np.array([part is not None for part in moments])
            return self._refitted(rows, narrowed(classes[keep]))
        try:
            attributes, error, n_refitted = self._derive(
                tuple(moments), classes, touched, lambda: self._samples.slots_without(rows), False
            )
        except ValueError:  # of moments that may be worn
            return self._refitted(rows, classes)
        tolerance = self._tolerance
        if error > tolerance:
            return self._refitted(rows, classes)
        guarantee = Guarantee("numerical", "state", tolerance, error)
        return Removal(attributes, guarantee, n_refitted, len(moments), "class")

    def _refitted(self, rows: np.ndarray, classes: np.ndarray) -> Removal:
        attributes = self._from_rows(self._samples.slots_without(rows), classes)
        guarantee = Guarantee("numerical", "state", self._tolerance, EPS)
        n_passes = 1.0 - rows.size / self._samples.n_samples
        n = classes.size
        return Removal(attributes, guarantee, n, n, "class", n_passes=n_passes)

    def _priors_of(self, moments: ClassMoments) -> np.ndarray:
        if self.priors is None:
            counts = np.array([part.weight for part in moments])
            return counts / counts.sum()
        priors = np.array(self.priors, dtype=np.float64)
        if priors.shape != (len(moments),):
            raise ValueError(
                "Number of priors must match number of classes: "
                f"priors has {priors.size} values for {len(moments)} classes."
            )
        return priors

    @property
    def _needs_rows(self) -> bool:
        """Whether the covariance is no function of moments."""
        return self.shrinkage == "auto" or self.covariance_estimator is not None

    def _covariance_of(self, rows: np.ndarray) -> np.ndarray:
        """Estimate the covariance of some rows the way that the parameters say."""
        X = self._samples.X[rows].astype(np.float64)
        if self.covariance_estimator is not None:
            if self.shrinkage is not None and self.shrinkage != 0:
                raise ValueError(
                    "covariance_estimator and shrinkage parameters are not None. Only one of the "
                    "two can be set."
                )
            fitted = clone(self.covariance_estimator).fit(X)
            if not hasattr(fitted, "covariance_"):
                raise ValueError(f"{type(fitted).__name__} does not have a covariance_ attribute")
            return np.atleast_2d(fitted.covariance_)
        if self.shrinkage == "auto":
            scaler = StandardScaler().fit(X)
            shrunk = ledoit_wolf(scaler.transform(X))[0]
            return scaler.scale_[:, None] * shrunk * scaler.scale_
        return shrunk_towards_sphere(np.atleast_2d(empirical_covariance(X)), self.shrinkage)

    def _check_solver(self, solver: str) -> None:
        if solver != "svd":
            return
        if self.shrinkage is not None:
            # As in scikit-learn, whose error this is: no solver without it is missing here.
            raise NotImplementedError("shrinkage not supported with 'svd' solver.")
        if self.covariance_estimator is not None:
            raise ValueError(
                "covariance_estimator is not supported with solver='svd'. Try solver='eigen' "
                "instead."
            )


def shrunk_towards_sphere(covariance: np.ndarray, shrinkage: float | None) -> np.ndarray:
    """Mix a covariance with the sphere of the same trace."""
    if not shrinkage:
        return covariance
    mixed = (1.0 - shrinkage) * covariance
    mixed.flat[:: len(mixed) + 1] += shrinkage * covariance.trace() / len(mixed)
    return mixed


def thin_svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return singular values and right singular vectors, as rows."""
    _, values, vectors, failed = lapack.dgesdd(matrix, full_matrices=False)
    if failed:
        raise LinAlgError("The singular values of the class means did not converge.")
    return values, vectors


def scatter_error(moments: ClassMoments, peak: np.ndarray, variance: np.ndarray) -> float:
    """Estimate the rounding error of a covariance, each entry relative to the two variances."""
    loss = np.divide(peak, variance, out=np.full(peak.size, np.inf), where=variance > 0.0)
    loss[peak == 0.0] = 1.0
    n_updates = max(part.n_updates for part in moments)
    return EPS * (4 + n_updates) * max(1.0, float(loss.max()))
