"""Kernel ridge regression that forgets rows, under its scikit-learn name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sklearn.kernel_ridge
from scipy import linalg, sparse
from sklearn.base import BaseEstimator, MultiOutputMixin
from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS, pairwise_kernels
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import beside, is_foreign, namespace, to_device, to_host
from skunlearn._compat import Interval, StrOptions
from skunlearn._linalg.inverse import Factor, Inverse, Inverses
from skunlearn._linalg.inverse_array_api import DeviceFactor, DeviceInverse, kernel_matrix
from skunlearn._linalg.precision import EPS
from skunlearn._mixins.scoring import RegressorMixin
from skunlearn._samples.centred_table import far_origin
from skunlearn._samples.device_table import DeviceTable
from skunlearn._samples.tables import drop, native
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_weights, validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError

__all__ = ["KernelRidge"]

# Relative float error above which the system is solved anew for the remaining rows.
TOLERANCE = 1e-8

_NOT_FINITE = "The kernel {!r} gave values that are not finite numbers."
_NOT_DEFINITE = (
    "The kernel matrix plus alpha is not positive definite. Using the least-squares solution "
    "instead."
)


class KernelRidge(UnlearnerMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Kernel ridge regression that forgets rows exactly.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.kernel_ridge.KernelRidge`. The first request solves the system of the remaining
    rows and inverts its matrix; from then on a request of k of n rows costs O(n k) evaluations of
    none but arithmetic, where refitting takes O(n^3).

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, non-negative; an array gives each target its own.

    kernel : str or callable, default='linear'
        A name that :func:`sklearn.metrics.pairwise.pairwise_kernels` knows, or a function of two
        rows. 'precomputed' raises: a request would have to remove columns from every matrix that
        the user passes later; use a callable.

    gamma : float, default=None
        Parameter of the rbf, laplacian, polynomial, exponential chi2 and sigmoid kernels; None
        takes the kernel's default, which does not depend on the rows.

    degree : float, default=3
        Degree of the polynomial kernel.

    coef0 : float, default=1
        Zero coefficient of the polynomial and sigmoid kernels.

    kernel_params : dict, default=None
        Further arguments of a callable kernel.

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Weights of the rows in kernel space.

    X_fit_ : {ndarray, sparse array} of shape (n_samples, n_features)
        The rows held, which are needed to predict.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    skunlearn.linear_model.Ridge : Linear, for many rows.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-8. The error estimate is the condition
    number of the matrix, times machine epsilon and the rounding of the kernel, over the share of
    the inverse's diagonal that the removed rows leave; where it would pass the tolerance, as with a
    tiny `alpha`, the system is solved anew for the remaining rows, as `fit` does. If the estimate
    is above the tolerance even then, the kind of the request is 'bounded'. The rbf kernel sees rows
    less an origin amid them where columns are far from zero. The scope is 'output': `X_fit_`,
    `dual_coef_` and predictions forget at once, but the inverse keeps kernel values of up to
    sqrt(n) removed rows until it is next worked out in full or :meth:`purge` is called. It is never
    part of a copy or a pickle. It takes n^2 numbers for each distinct value of `alpha`.

    References
    ----------
    .. [1] Cauwenberghs, Poggio: Incremental and decremental support vector machine learning,
       NeurIPS 2000, for the leave-one-out update by a bordered inverse.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.kernel_ridge import KernelRidge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = KernelRidge(kernel="rbf", gamma=5.0)
    >>> model = model.fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> model.X_fit_.shape
    (439, 10)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "kernel": [StrOptions({*PAIRWISE_KERNEL_FUNCTIONS, "precomputed"}), callable],
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "degree": [Interval(Real, 0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "kernel_params": [dict, None],
    }
    _takes_arrays = True
    _unlearning_tags = UnlearningTags("numerical", "output", TOLERANCE, predicts_with_rows=True)
    _overwritten: ClassVar[tuple[str, ...]] = ("_inverses",)

    def __init__(
        self,
        alpha: Any = 1,
        *,
        kernel: str | Callable[..., float] = "linear",
        gamma: float | None = None,
        degree: float = 3,
        coef0: float = 1,
        kernel_params: dict[str, Any] | None = None,
    ):
        self.alpha = alpha
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> KernelRidge:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, none of them negative.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted model.

        Raises
        ------
        ValueError
            If the kernel is 'precomputed', fails on the rows, or gives values that are not finite.
        """
        if isinstance(self.kernel, str) and self.kernel == "precomputed":
            raise ValueError(
                "kernel='precomputed' cannot be unlearned from: every kernel matrix passed to "
                "predict would need other columns after a request. Pass the kernel as a callable."
            )
        sources = (X, y, sample_weight)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
        )
        weight = check_weights(self, sample_weight, X, dtype=None, ensure_non_negative=True)
        y = y.astype(np.float64)
        self._penalties(y)
        self._hold_samples(X, y, weight, sources=sources, sample_ids=sample_ids)
        self.__dict__.update(self._solve(self._samples.slots(), invert=False)[0])
        return self

    def _penalties(self, y: np.ndarray) -> np.ndarray:
        """Return the penalty of each target."""
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        penalties = np.ravel(np.asarray(self.alpha, dtype=np.float64))
        if penalties.size not in (1, n_targets):
            raise ValueError(
                "Number of targets and number of penalties do not correspond: "
                f"{penalties.size} != {n_targets}"
            )
        return np.broadcast_to(penalties, (n_targets,))

    def _kernel_of(self, X: Any, Y: Any = None) -> Any:
        X, Y = self._near_zero(X, Y)
        if is_foreign(X):
            parameters = {name: getattr(self, name) for name in ("gamma", "degree", "coef0")}
            values = kernel_matrix(X, Y, self.kernel, **parameters)
            finite = namespace(values).isfinite(values)
            if not namespace(values).all(finite):
                raise ValueError(_NOT_FINITE.format(self.kernel))
            return values
        if callable(self.kernel):
            params = self.kernel_params or {}
        else:
            params = {"gamma": self.gamma, "degree": self.degree, "coef0": self.coef0}
        try:
            values = pairwise_kernels(X, Y, metric=self.kernel, filter_params=True, **params)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"The kernel {self.kernel!r} failed: {error}") from error
        if not np.isfinite(values.sum()) and not np.isfinite(values).all():
            raise ValueError(_NOT_FINITE.format(self.kernel))
        return values

    def _near_zero(self, X: Any, Y: Any) -> tuple[Any, Any]:
        """Move rows to where differences keep their digits, if the kernel does not see that."""
        if not isinstance(self.kernel, str) or self.kernel != "rbf" or sparse.issparse(X):
            return X, Y
        fitted = X if Y is None else Y
        if sparse.issparse(fitted):
            return X, Y
        table = DeviceTable(fitted) if is_foreign(fitted) else fitted
        origin = far_origin(table, np.ones(fitted.shape[0]))
        if origin is None:
            return X, Y
        if not is_foreign(X):
            return X - origin, None if Y is None else Y - origin
        return X - beside(origin, X), None if Y is None else Y - beside(origin, Y)

    def _kernel_error(self, X: Any, gram: Any, most_weight: float) -> float:
        """Estimate what the kernel's own rounding adds to the weighted matrix, as a norm."""
        n_rows, n_features = X.shape
        xp = namespace(gram)
        diagonal = xp.linalg.diagonal(gram) if is_foreign(gram) else gram.diagonal()
        size = float(xp.max(xp.abs(diagonal)))
        if self.kernel in ("rbf", "sigmoid"):
            gamma = 1.0 / n_features if self.gamma is None else self.gamma
            X = self._near_zero(X, None)[0]
            squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else _row_squares(X)
            size += most_weight * gamma * float(to_host(squares).max())
        elif self.kernel in ("poly", "polynomial"):
            size *= max(float(self.degree), 1.0)
        return EPS * float(np.sqrt(n_rows * (n_features + 4.0))) * size

    def _solve(self, rows: np.ndarray, *, invert: bool) -> tuple[dict[str, Any], float]:
        """Solve for the given rows, as retraining does; on request keep the inverse as well.

        Also estimate the relative error of the solution.
        """
        X, y, weight = self._samples.take(rows)
        X = native(X)
        table = X if is_foreign(X) else X.astype(np.float64, copy=False)
        gram = self._kernel_of(table)
        root = np.ones(1) if weight is None else np.sqrt(weight)
        if weight is not None:
            gram *= beside(root, gram)
            gram *= beside(root[:, None], gram)
        right = y.reshape(len(y), -1) * root[:, None]
        dual, penalties = np.empty_like(right), self._penalties(y)
        distinct = np.unique(penalties)
        inverses, worst = Inverses(), 0.0
        rounding = self._kernel_error(table, gram, float(root.max()) ** 2)
        factor: Factor | DeviceFactor
        for penalty in distinct:
            chosen = penalties == penalty
            if is_foreign(gram):
                matrix = gram + to_device(np.diag(np.full(len(y), penalty)), gram)
                dual[:, chosen], factor = _solve_on_device(matrix, right[:, chosen])
            else:
                matrix = gram if distinct.size == 1 else gram.copy()
                matrix.flat[:: len(matrix) + 1] += penalty
                dual[:, chosen], factor = _solve_symmetric(matrix, right[:, chosen])
            error = factor.error
            if error < np.inf:
                error = 8.0 * EPS + error * (1.0 + rounding / (EPS * factor.norm))
            worst = max(worst, error)
            if invert and error <= TOLERANCE:
                kind = DeviceInverse if is_foreign(gram) else Inverse
                inverses[float(penalty)] = kind(factor.inverse(), error)
        dual *= root[:, None]
        attributes = {
            "_inverses": inverses if len(inverses) == distinct.size else Inverses(),
            "X_fit_": X,
            "dual_coef_": self._samples.publish(dual.reshape(y.shape)),
        }
        return attributes, worst

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        weight = samples.sample_weight
        if weight is not None and not weight[samples.slots_without(rows)].any():
            raise NotUnlearnableError("All remaining rows would have a sample_weight of zero.")
        removal = self._downdate(rows)
        if removal is not None:
            return removal
        attributes, error = self._solve(self._samples.slots_without(rows), invert=True)
        guarantee = Guarantee("numerical", "state", TOLERANCE, error)
        if not error <= TOLERANCE:
            size = float(np.linalg.norm(to_host(attributes["dual_coef_"])))
            bound = size * error / (1.0 - error) if error < 0.5 else np.inf
            guarantee = Guarantee("bounded", "state", bound=bound)
        return Removal(attributes, guarantee, n_refitted=1)

    def _cost(self, rows: np.ndarray) -> Foretold:
        if self._inverses:
            return super()._cost(rows)
        fit = self._cost_of_fit(rows)  # which needs no inverse; that takes three times the products
        return replace(fit, seconds=3.0 * fit.seconds), None

    def _downdate(self, rows: np.ndarray) -> Removal | None:
        """Update the solution by means of the inverses; None where they are not good enough."""
        if not self._inverses:
            return None
        samples, dual = self._samples, to_host(self.dual_coef_)
        ranks = samples.slots().searchsorted(rows) if samples.n_removed else rows
        gone, dual = dual[ranks], drop(dual, ranks)
        scale = None
        if samples.sample_weight is not None:
            shape = (-1, *(1,) * (dual.ndim - 1))
            root = np.sqrt(samples.sample_weight[rows]).reshape(shape)
            scale = np.sqrt(samples.sample_weight[samples.slots_without(rows)])
            scale = scale.reshape(shape)
            gone = np.divide(gone, root, out=np.zeros_like(gone), where=root > 0.0)
        replacements, error, scope = [], 0.0, "state"
        for penalty, inverse in self._inverses.items():
            downdate = inverse.take_out(ranks)
            if downdate is None or downdate.error > TOLERANCE:
                return None
            chosen: Any = ...
            if len(self._inverses) > 1:
                chosen = ..., self._penalties(dual) == penalty
            correction = downdate.correction(gone[chosen])
            dual[chosen] -= correction if scale is None else scale * correction
            replacement, scope = downdate.replacement()
            replacements.append(replacement)
            error = max(error, downdate.error)
        guarantee = Guarantee("numerical", scope, TOLERANCE, error)
        attributes = {"X_fit_": drop(self.X_fit_, ranks), "dual_coef_": samples.publish(dual)}
        return Removal(attributes, guarantee, replacements=tuple(replacements))

    def purge(self) -> KernelRidge:
        """Work the inverse out in full, so that nothing of removed rows is left in it.

        Returns
        -------
        self : object
            The same model, without residues and empty slots.
        """
        with self._check_samples().lock:
            for inverse in self._inverses.values():
                inverse.purge()
            return super().purge()

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the model.

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
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        return self._kernel_of(X, self.X_fit_) @ self.dual_coef_

    def to_predictor(self) -> sklearn.kernel_ridge.KernelRidge:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.kernel_ridge.KernelRidge
            Fitted; holds the rows of `X_fit_`, with which it predicts.
        """
        return self._as_namesake(sklearn.kernel_ridge.KernelRidge)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _solve_on_device(matrix: Any, right: np.ndarray) -> tuple[np.ndarray, DeviceFactor]:
    """Solve as :func:`_solve_symmetric` does, where the matrix is."""
    factor = DeviceFactor(matrix)
    if factor.failed:
        warnings.warn(_NOT_DEFINITE, stacklevel=3)
    return factor.solve(right), factor


def _row_squares(X: Any) -> Any:
    return namespace(X).sum(X * X, axis=1)


def _solve_symmetric(matrix: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, Factor]:
    """Solve by Cholesky, or by least squares where `matrix`, overwritten, is not definite."""
    diagonal = matrix.diagonal().copy()
    factor = Factor(matrix)
    if not factor.failed:
        return factor.solve(right), factor
    warnings.warn(_NOT_DEFINITE, stacklevel=3)
    upper = np.triu(matrix, 1)
    return linalg.lstsq(upper + upper.T + np.diag(diagonal), right)[0], factor
