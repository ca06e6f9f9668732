"""What Ridge and LinearRegression share: rows as joint moments, solved by normal equations."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from scipy import linalg, optimize, sparse
from scipy.linalg import lapack
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skunlearn._compat import check_sample_weight
from skunlearn._joint_moments import JointMoments
from skunlearn._kernels.least_squares import assess, normal_equations
from skunlearn._sample_store import SampleStore
from skunlearn._swap import snapshot
from skunlearn._tags import UnlearningTags
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError

EPS = float(np.finfo(np.float64).eps)

# Relative float error above which moments are computed anew from the rows that are left.
TOLERANCE = 1e-9


class LeastSquares(UnlearnerMixin, BaseEstimator, metaclass=ABCMeta):
    """Linear least squares with or without an l2 penalty, from joint moments.

    Subclasses give the penalty and say what happens where the normal equations are not to be
    trusted. Rows are held in the coordinates they came in; behind an affine transformer that
    forgets too, a pipeline puts the raw rows here and `_frame`, the transformer's present (shift,
    scale), in between, so that a change of the transformer costs no pass over the rows.
    """

    _unlearning_tags: ClassVar[UnlearningTags] = UnlearningTags(
        "numerical", tolerance=TOLERANCE, pushes_affine=True
    )

    # Whether the weights of a y of shape (n_samples, 1) are one-dimensional, as in the namesake.
    _flattens_single_target: ClassVar[bool]

    fit_intercept: bool
    positive: bool

    @abstractmethod
    def _penalties(self, n_targets: int) -> list[float]:
        """Return the penalty of each target."""

    @abstractmethod
    def _trusts(self, share: float, tolerance: float) -> bool:
        """Tell whether normal equations with these smallest pivots are good enough."""

    @abstractmethod
    def _solve_from_rows(self, X: np.ndarray, y: np.ndarray, penalties: list[float]) -> np.ndarray:
        """Solve on centred, weighted rows; returns shape (n_targets, n_features)."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, sample_ids: Any, **checks: Any) -> None:
        """Validate, hold the rows, solve."""
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        sources = (X, y, sample_weight)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=False if self.positive else "csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
        )
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, dtype=X.dtype, **checks)
            weight = weight.astype(np.float64)
            if not weight.sum() > 0.0:
                raise ValueError("The sum of sample_weight must be positive.")
        self._single = y.ndim == 1
        self._hold_samples(
            X,
            y.reshape(y.shape[0], -1).astype(np.float64),
            weight,
            sources=(sources[0], None, sources[2]),
            sample_ids=sample_ids,
        )
        self._frame = None
        self.__dict__.update(self._refit(self._samples, self._samples.slots(), None).attributes)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)

    def _refit(self, samples: SampleStore, rows: np.ndarray, frame: Any) -> Removal:
        """Solve anew on the given rows, as retraining does.

        Tables that are not longer than wide have no use for moments.
        """
        weight = samples.sample_weight
        if weight is not None and not weight[rows].sum() > 0.0:
            raise NotUnlearnableError("The sum of sample_weight of the rows left must be positive.")
        if rows.size > self.n_features_in_:
            moments = JointMoments.from_rows(samples.X, samples.y, weight, rows, self.fit_intercept)
            penalties, chosen = self._choose_penalties(samples, moments, lambda: rows, frame)
            coef, _ = self._solve(moments, frame, penalties)
            if coef is not None:
                removal = self._removal(moments, coef, moments.mean, frame, EPS, refitted=True)
                removal.attributes.update(chosen)
                return removal
        else:
            moments = None
            penalties, chosen = self._choose_penalties(samples, None, lambda: rows, frame)
        X, y, mean = self._centred_rows(samples, rows, frame)
        coef = self._solve_from_rows(X, y, penalties)
        removal = self._removal(moments, coef, mean, frame, EPS, refitted=True)
        removal.attributes.update(chosen)
        return removal

    def _unlearn(self, rows: np.ndarray) -> Removal:
        return self._unlearn_framed(self._samples, rows, self._frame)

    def _unlearn_framed(self, samples: SampleStore, rows: np.ndarray, frame: Any) -> Removal:
        moments, weight = self._moments, samples.sample_weight
        if (
            moments is not None
            and samples.n_samples - rows.size > self.n_features_in_
            and (weight is None or weight[rows].sum() < (1.0 - 1e-6) * moments.weight)
        ):
            moments = moments.without(samples.X, samples.y, weight, rows, self.fit_intercept)
            penalties, chosen = self._choose_penalties(
                samples, moments, lambda: samples.slots_without(rows), frame
            )
            coef, error = self._solve(moments, frame, penalties)
            if coef is not None and error <= TOLERANCE:
                removal = self._removal(moments, coef, moments.mean, frame, error, refitted=False)
                removal.attributes.update(chosen)
                return removal
        return self._refit(samples, samples.slots_without(rows), frame)

    def _choose_penalties(
        self,
        samples: SampleStore,
        moments: JointMoments | None,
        rows: Callable[[], np.ndarray],
        frame: Any,
    ) -> tuple[list[float], dict[str, Any]]:
        """Return the penalty of each target, and the attributes that tell of a choice.

        `rows` returns the slots of the rows that count, at the price of a pass over the ids;
        `moments` are theirs, None for a table that is not longer than wide.
        """
        return self._penalties(samples.y.shape[1]), {}

    def _solve(
        self, moments: JointMoments, frame: Any, penalties: list[float]
    ) -> tuple[np.ndarray | None, float]:
        """Solve the normal equations; the solution is None where they are not to be trusted."""
        n_features = self.n_features_in_
        n_targets = moments.mean.size - n_features
        scale = np.ones(n_features) if frame is None else frame[1]
        scatter, peak, n_updates = moments.scatter, moments.peak, moments.n_updates
        if penalties.count(penalties[0]) == n_targets:
            return self._solve_with(penalties[0], scatter, peak, scale, n_updates)
        coef = np.empty((n_targets, n_features))
        error = 0.0
        for penalty in set(penalties):
            chosen = np.flatnonzero(np.equal(penalties, penalty))
            columns = np.concatenate([np.arange(n_features), n_features + chosen])
            part, part_error = self._solve_with(
                penalty, scatter[np.ix_(columns, columns)], peak[columns], scale, n_updates
            )
            if part is None:
                return None, np.inf
            coef[chosen] = part
            error = max(error, part_error)
        return coef, error

    def _solve_with(
        self,
        penalty: float,
        scatter: np.ndarray,
        peak: np.ndarray,
        scale: np.ndarray,
        n_updates: int,
    ) -> tuple[np.ndarray | None, float]:
        """Solve for the targets that have one penalty."""
        matrix, right = normal_equations(scatter, scale, penalty)
        factor, solution, failed = lapack.dposv(
            matrix.T, right.T, overwrite_a=True, overwrite_b=not self.positive
        )
        if failed:
            return None, np.inf
        loss, residual, share, tolerance = assess(factor, solution.T, scatter, peak, scale, penalty)
        if not self._trusts(share, tolerance):
            return None, np.inf
        coef = _nonnegative(factor, right) if self.positive else solution.T
        return coef, max(EPS * (4 + n_updates) * loss, residual)

    def _centred_rows(
        self, samples: SampleStore, rows: np.ndarray, frame: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rows and targets less their mean, times the root of their weight, and the mean."""
        X, y, weight = self._taken(samples, rows)
        X = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
        mean = np.zeros(X.shape[1] + y.shape[1])
        if self.fit_intercept:
            mean = np.average(np.hstack([X, y]), axis=0, weights=weight)
        X, y = X - mean[: X.shape[1]], y - mean[X.shape[1] :]
        if frame is not None:
            X /= frame[1]
        if weight is not None:
            root = np.sqrt(weight)[:, None]
            X, y = X * root, y * root
        return X, y, mean

    def _taken(
        self, samples: SampleStore, rows: np.ndarray
    ) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """Copy rows, their targets of shape (n_rows, n_targets) and their weights."""
        return samples.take(rows)

    def _removal(
        self,
        moments: Any,
        coef: np.ndarray,
        mean: np.ndarray,
        frame: Any,
        error: float,
        *,
        refitted: bool,
    ) -> Removal:
        intercept: Any = 0.0
        if self.fit_intercept:
            n_features = coef.shape[1]
            centre = mean[:n_features]
            if frame is not None:
                centre = (centre - frame[0]) / frame[1]
            intercept = mean[n_features:] - coef @ centre
            if self._single:
                intercept = intercept[0]
        if self._samples.X.dtype == np.float32:
            coef = coef.astype(np.float32)
            intercept = intercept.astype(np.float32) if self.fit_intercept else 0.0
        flat = self._single or (self._flattens_single_target and len(coef) == 1)
        attributes = {
            "_moments": moments,
            "_frame": frame,
            "coef_": coef[0] if flat else coef,
            "intercept_": intercept,
        }
        guarantee = Guarantee("numerical", "state", TOLERANCE, error)
        return Removal(attributes, guarantee, int(refitted))

    def _push_affine(self, rows: np.ndarray, source: SampleStore, frame: Any) -> Removal:
        """Unlearn where an affine transformer in front takes the new form `frame`.

        Parameters
        ----------
        rows : ndarray of dtype intp
            Slots to remove.

        source : SampleStore
            The transformer's rows, aligned with those held here.

        frame : tuple of (shift, scale)
            The transformer after the removal.

        Returns
        -------
        removal : Removal
            The first time, also a store that holds the transformer's rows in place of the
            transformed ones, so that nothing is kept in the coordinates of a former transformer.
        """
        if self._frame is not None:
            return self._unlearn_framed(self._samples, rows, frame)
        raw = self._samples.with_table(np.array(source.X))
        removal = self._refit(raw, raw.slots_without(rows), frame)
        removal.attributes["_samples"] = raw
        return removal

    def _fit_targets(self, rows: np.ndarray) -> np.ndarray:
        y = self._samples.y[rows]
        return y[:, 0] if self._single else y

    def _as_stored_targets(self, y: Any) -> np.ndarray:
        return np.asarray(y, dtype=np.float64).reshape(len(y), -1)

    def find_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Find the ids of training rows that equal the given rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows to look for, as this estimator sees them.

        y : array-like of shape (n_queries,) or (n_queries, n_targets), default=None
            If given, targets must be equal as well.

        Returns
        -------
        sample_ids : ndarray of shape (n_found,)
            Distinct ids of the rows equal to any of the queries, in training order.
        """
        if y is not None:
            y = self._as_stored_targets(y)
        samples = self._check_samples()
        if self._frame is None:
            return super().find_samples(X, y)
        shift, scale = (part.astype(samples.X.dtype) for part in self._frame)
        view = snapshot(self)
        view._samples = samples.with_table((samples.X - shift) / scale)
        view._frame = None
        return view.find_samples(X, y)

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted values.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc", "coo"], reset=False)
        return X @ self.coef_.T + self.intercept_


def _nonnegative(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    upper = np.triu(factor)
    targets = linalg.solve_triangular(upper, right.T, trans="T")
    return np.stack([optimize.nnls(upper, target)[0] for target in targets.T])
