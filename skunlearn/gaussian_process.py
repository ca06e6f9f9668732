"""Gaussian process regression that forgets rows, under its scikit-learn name."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.gaussian_process
from scipy.linalg import lapack
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, clone
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval, StrOptions
from skunlearn._kernels.cholesky import without_row
from skunlearn._linalg.precision import EPS
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import drop
from skunlearn._unlearning.commit import snapshot
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError

__all__ = ["GaussianProcessRegressor"]

# Relative float error above which the process is fitted anew on the remaining rows.
TOLERANCE = 1e-8

# Taking out one of so many rows at a time costs less than a fresh factorisation.
_SHARE = 200

# Share of the time of a fit that following one row takes, measured with 500 to 2,000 rows.
_SHARE_PER_ROW = 0.1


class GaussianProcessRegressor(UnlearnerMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Gaussian process regression that forgets rows exactly.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.gaussian_process.GaussianProcessRegressor`. With a fixed kernel, a request costs
    O(n^2) for each of a few rows, where refitting takes O(n^3); hyper-parameters that are optimised
    are chosen anew for the remaining rows, which means to fit anew.

    Parameters
    ----------
    kernel : Kernel instance, default=None
        Covariance function; None stands for ``ConstantKernel() * RBF()``.

    alpha : float, default=1e-10
        Added to the diagonal. An array, a value per row, raises: the parameter would keep the
        values of removed rows.

    optimizer : 'fmin_l_bfgs_b', callable or None, default='fmin_l_bfgs_b'
        How the kernel's hyper-parameters are chosen. To forget fast, pass None, with the `kernel_`
        of a process fitted elsewhere if need be, or give all of them fixed bounds.

    n_restarts_optimizer : int, default=0
        Number of further starts of the optimizer.

    normalize_y : bool, default=False
        Whether to center and scale targets; mean and scale are those of the remaining rows.

    copy_X_train : bool, default=True
        Kept for compatibility: the rows are always copied.

    n_targets : int, default=None
        Number of targets, for samples of the prior.

    random_state : int, RandomState instance or None, default=None
        Where the optimizer restarts.

    Attributes
    ----------
    X_train_ : ndarray of shape (n_samples, n_features)
        The rows held, which are needed to predict.

    y_train_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Their targets, normalized where asked for.

    kernel_ : Kernel instance
        The kernel used for prediction.

    L_ : ndarray of shape (n_samples, n_samples)
        Lower Cholesky factor of the covariance of `X_train_`.

    alpha_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Weights of the rows in kernel space.

    log_marginal_likelihood_value_ : float
        Log marginal likelihood of the rows held.

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
    skunlearn.kernel_ridge.KernelRidge : The mean alone, with faster requests.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-8; the error in the report is machine
    epsilon times the condition number of the covariance. Where that passes the tolerance, as is
    common with a tiny `alpha`, where many rows leave at once, or where hyper-parameters are
    optimised, the process is fitted anew on the remaining rows.

    References
    ----------
    .. [1] Golub, Van Loan: Matrix Computations, 4th edition, 2013, section 6.5.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.gaussian_process.kernels import RBF
    >>> from skunlearn.gaussian_process import GaussianProcessRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GaussianProcessRegressor(RBF(0.1), alpha=0.5, optimizer=None, normalize_y=True)
    >>> model.fit(X, y, sample_ids="row numbers").unlearn([7, 11]).L_.shape
    (440, 440)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": [None, Kernel],
        "alpha": [Interval(Real, 0.0, None, closed="left"), np.ndarray],
        "optimizer": [StrOptions({"fmin_l_bfgs_b"}), callable, None],
        "n_restarts_optimizer": [Interval(Integral, 0, None, closed="left")],
        "normalize_y": ["boolean"],
        "copy_X_train": ["boolean"],
        "n_targets": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE, predicts_with_rows=True)

    def __init__(
        self,
        kernel: Any = None,
        *,
        alpha: Any = 1e-10,
        optimizer: Any = "fmin_l_bfgs_b",
        n_restarts_optimizer: int = 0,
        normalize_y: bool = False,
        copy_X_train: bool = True,
        n_targets: int | None = None,
        random_state: Any = None,
    ):
        self.kernel = kernel
        self.alpha = alpha
        self.optimizer = optimizer
        self.n_restarts_optimizer = n_restarts_optimizer
        self.normalize_y = normalize_y
        self.copy_X_train = copy_X_train
        self.n_targets = n_targets
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> GaussianProcessRegressor:
        """Fit the process.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted process.

        Raises
        ------
        ValueError
            If `alpha` is an array, the kernel takes no vectors, or the covariance is not positive
            definite.
        """
        self._check_rows_matter_only_here()
        seed = self._choose_seed(self.random_state)
        source = X
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype="numeric")
        n_targets = y.shape[1] if y.ndim > 1 else 1
        if self.n_targets not in (None, n_targets):
            raise ValueError(
                "The number of targets seen in `y` is different from the parameter `n_targets`. "
                f"Got {n_targets} != {self.n_targets}."
            )
        y = y.astype(np.float64)
        self._hold_samples(X, y, sources=(source, None, None), sample_ids=sample_ids)
        self._seed = seed
        self.__dict__.update(self._solve(self._samples.slots()))
        return self

    def _check_rows_matter_only_here(self) -> None:
        """Raise where parameters hold something for each row, or rows are no vectors."""
        if isinstance(self.alpha, np.ndarray):
            raise ValueError(
                "An array of `alpha`, a value per row, would keep the values of removed rows. Pass "
                "a number."
            )
        if self.kernel is not None and not self.kernel.requires_vector_input:
            raise ValueError(
                f"The kernel {self.kernel} takes structured objects; rows must be vectors here."
            )

    def _kernel_for(self, X: np.ndarray, y: np.ndarray) -> tuple[Kernel, bool]:
        """Return the kernel for some rows, and whether it was fitted to them."""
        kernel = ConstantKernel() * RBF() if self.kernel is None else clone(self.kernel)
        if self.optimizer is None or not kernel.n_dims:
            return kernel, False
        params = self.get_params(deep=False) | {"kernel": kernel, "random_state": self._seed}
        namesake = sklearn.gaussian_process.GaussianProcessRegressor(**params)
        return namesake.fit(X, y).kernel_, True

    def _solve(self, slots: np.ndarray) -> dict[str, Any]:
        """Fit to the rows in the given slots, as retraining does."""
        X, y, _ = self._samples.take(slots)
        kernel, fitted = self._kernel_for(X, y)
        covariance = kernel(X)
        covariance.flat[:: len(covariance) + 1] += self.alpha
        if not np.isfinite(covariance).all():
            raise ValueError(f"The kernel {kernel} gave values that are not finite numbers.")
        upper, failed = lapack.dpotrf(covariance.T, lower=False, overwrite_a=True, clean=True)
        if failed:
            raise ValueError(
                f"The kernel {kernel} does not give a positive definite covariance. Increase "
                "`alpha`."
            )
        chosen = {"kernel_": kernel, "_kernel_is_fitted": fitted}
        return chosen | self._attributes(X, y, upper.T)

    def _attributes(self, X: np.ndarray, y: np.ndarray, lower: np.ndarray) -> dict[str, Any]:
        mean, scale = np.zeros(y.shape[1:]), np.ones(y.shape[1:])
        if self.normalize_y:
            mean, scale = y.mean(axis=0), y.std(axis=0)
            constant = scale <= 10.0 * EPS * np.maximum(np.abs(mean), np.abs(scale))
            scale = np.where(constant, 1.0, scale)
        y = (y - mean) / scale
        weights = lapack.dpotrs(lower.T, y)[0].reshape(y.shape)
        n_targets = y.size / len(y)
        spread = np.log(lower.diagonal()).sum() + len(y) / 2.0 * np.log(2.0 * np.pi)
        return {
            "X_train_": X,
            "y_train_": y,
            "L_": lower,
            "alpha_": weights,
            "log_marginal_likelihood_value_": float(
                -0.5 * (y * weights).sum() - n_targets * spread
            ),
            "_normalization": (mean, scale),
        }

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        left = samples.slots_without(rows)
        if self._follows(rows):
            ranks = samples.slots().searchsorted(rows)
            lower = self.L_
            for rank in ranks[::-1].tolist():
                lower = without_row(lower, rank)
            error = _rounding(lower)
            if error <= TOLERANCE:
                attributes = self._attributes(drop(self.X_train_, ranks), samples.y[left], lower)
                return Removal(attributes, Guarantee("numerical", "state", TOLERANCE, error))
        try:
            attributes = self._solve(left)
        except ValueError as error:
            raise NotUnlearnableError(f"The remaining rows cannot be fitted: {error}") from error
        return Removal(attributes, Guarantee("numerical", "state", TOLERANCE, EPS), n_refitted=1)

    def _follows(self, rows: np.ndarray) -> bool:
        """Tell whether the factor can follow while rows leave."""
        n_remaining = self._samples.n_samples - rows.size
        return not self._kernel_is_fitted and rows.size <= max(1, n_remaining // _SHARE)

    def _cost(self, rows: np.ndarray) -> Foretold:
        fit = self._cost_of_fit(rows)
        if not self._follows(rows):
            return fit, None
        may_refit = _rounding(self.L_) > TOLERANCE / 2
        seconds = (_SHARE_PER_ROW * rows.size + may_refit) * fit.seconds
        return replace(fit, n_parts_touched=int(may_refit), n_passes=0.0, seconds=seconds), None

    def _check_samples(self) -> SampleStore:
        check_is_fitted(self, "X_train_")
        return super()._check_samples()

    def _namesake(self) -> sklearn.gaussian_process.GaussianProcessRegressor:
        """Return scikit-learn's own process with the same attributes, not copied."""
        namesake = object.__new__(sklearn.gaussian_process.GaussianProcessRegressor)
        namesake.__dict__.update(
            {name: value for name, value in self.__dict__.items() if name[0] != "_"}
        )
        if "_normalization" in self.__dict__:
            namesake._y_train_mean, namesake._y_train_std = self._normalization
        return namesake

    @reads_one_version
    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Predict with the process; before `fit`, with its prior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        return_std : bool, default=False
            Whether to return the standard deviations too.

        return_cov : bool, default=False
            Whether to return the covariance too.

        Returns
        -------
        y_mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Means.

        y_std : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Standard deviations, if asked for.

        y_cov : ndarray of shape (n_samples, n_samples) or (n_samples, n_samples, n_targets)
            Covariance, if asked for.
        """
        return self._namesake().predict(X, return_std=return_std, return_cov=return_cov)

    @reads_one_version
    def sample_y(self, X: Any, n_samples: int = 1, random_state: Any = 0) -> np.ndarray:
        """Draw functions from the process and evaluate them.

        Parameters
        ----------
        X : array-like of shape (n_samples_X, n_features)
            Rows.

        n_samples : int, default=1
            Number of functions.

        random_state : int, RandomState instance or None, default=0
            Source of randomness.

        Returns
        -------
        y_samples : ndarray of shape (n_samples_X, n_samples) or (n_samples_X, n_targets, n_samples)
            Values.
        """
        return self._namesake().sample_y(X, n_samples, random_state)

    @reads_one_version
    def log_marginal_likelihood(
        self, theta: Any = None, eval_gradient: bool = False, clone_kernel: bool = True
    ) -> Any:
        """Return the log marginal likelihood of hyper-parameters on the rows held.

        Parameters
        ----------
        theta : array-like of shape (n_kernel_params,), default=None
            Hyper-parameters; None takes those of `kernel_`.

        eval_gradient : bool, default=False
            Whether to return the gradient too; needs `theta`.

        clone_kernel : bool, default=True
            Kept for compatibility: `kernel_` is never changed.

        Returns
        -------
        log_likelihood : float
            The value.

        log_likelihood_gradient : ndarray of shape (n_kernel_params,)
            Its gradient, if asked for.
        """
        return self._namesake().log_marginal_likelihood(theta, eval_gradient, clone_kernel=True)

    def to_predictor(self) -> sklearn.gaussian_process.GaussianProcessRegressor:
        """Return scikit-learn's own process for deployment.

        Returns
        -------
        predictor : sklearn.gaussian_process.GaussianProcessRegressor
            Fitted; holds the rows of `X_train_`, with which it predicts.
        """
        predictor = self._as_namesake(sklearn.gaussian_process.GaussianProcessRegressor)
        predictor._y_train_mean, predictor._y_train_std = snapshot(self)._normalization
        return predictor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _rounding(lower: np.ndarray) -> float:
    """Estimate the relative float error of solutions from a Cholesky factor."""
    largest = float(np.einsum("ij,ij->", lower, lower))
    share, _ = lapack.dpocon(lower.T, largest)
    return EPS / share if share > 0.0 else np.inf
