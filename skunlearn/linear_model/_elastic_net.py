"""ElasticNet that forgets rows."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
from scipy import sparse
from sklearn.base import MultiOutputMixin
from sklearn.exceptions import ConvergenceWarning

from skunlearn._array_api import to_host
from skunlearn._compat import Interval, StrOptions
from skunlearn._kernels.least_squares import normal_equations
from skunlearn._linalg.precision import EPS
from skunlearn._mixins.scoring import RegressorMixin
from skunlearn._samples.store import SampleStore
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import Removal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model._behind_map import moments_seen
from skunlearn.linear_model._elastic_net_solver import Problem, Solution
from skunlearn.linear_model._moments_model import TOLERANCE, MomentsModel


class ElasticNet(MultiOutputMixin, RegressorMixin, MomentsModel):
    """Linear regression with l1 and l2 penalties that forgets rows exactly.

    Same parameters and fitted attributes as :class:`sklearn.linear_model.ElasticNet`, and the
    predictions to which its converge as `tol` goes to zero. Coordinate descent on the joint
    moments of features and target, then a search for the signs find out which weights are zero;
    the others solve linear equations exactly. A request of k rows and d columns costs O(k d^2) to
    update the moments and O(s^3 / 3) to solve for s weights as long as the same ones stay zero,
    whatever the number of remaining rows, and that again for each that does not.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalties.

    l1_ratio : float, default=0.5
        Share of the l1 penalty.

    fit_intercept : bool, default=True
        Whether to fit an intercept.

    precompute : bool, default=False
        Kept for compatibility: the Gram matrix is always computed. An array raises, as it could not
        follow the rows.

    max_iter : int, default=1000
        Sweeps of coordinate descent at most.

    copy_X : bool, default=True
        Kept for compatibility: X is never overwritten.

    tol : float, default=1e-4
        A solution whose duality gap is larger than this share of the target's square gives a
        warning; all others are solved to rounding.

    warm_start : bool, default=False
        Kept for compatibility: the solution does not depend on the start.

    positive : bool, default=False
        Whether coefficients must be non-negative.

    random_state : int, RandomState instance or None, default=None
        Kept for compatibility: nothing is random.

    selection : {'cyclic'}, default='cyclic'
        Order of coordinates; 'random' raises, as its path depends on more than the rows.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Weights.

    sparse_coef_ : CSR array of shape (n_targets, n_features)
        The same, sparse.

    intercept_ : float or ndarray of shape (n_targets,)
        Independent term; 0.0 if ``fit_intercept=False``.

    n_iter_ : int or list of int
        Sweeps of coordinate descent for each target; a request that starts from the present weights
        takes fewer than a fit.

    dual_gap_ : float or ndarray of shape (n_targets,)
        Bound on how much the objective exceeds its minimum, divided by the number of rows; 0.0
        where it is below 1e-9 of the target's square, as rounding is.

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
    Lasso : With the l1 penalty alone.
    Ridge : With the l2 penalty alone.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-9. The error of a request is the largest
    of the estimated rounding error of the equations that are solved, their residual, and the
    duality gap as a share of the target's square. Where it would pass the tolerance, or columns in
    use are collinear so that the solution is not unique, the moments are computed anew from the
    remaining rows and descent starts from zero, as in `fit`.

    References
    ----------
    .. [1] Friedman, Hastie, Tibshirani: Regularization paths for generalized linear models via
       coordinate descent, Journal of Statistical Software 33(1), 2010.
    .. [2] Lee, Battle, Raina, Ng: Efficient sparse coding algorithms, NIPS 2006, section 3.
    .. [3] Kim, Koh, Lustig, Boyd, Gorinevsky: An interior-point method for large-scale
       l1-regularized least squares, IEEE J. Sel. Topics Signal Process. 1(4), 2007, section III.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.linear_model import ElasticNet
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNet(alpha=0.5, l1_ratio=0.99)
    >>> model = model.fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> int((model.coef_ != 0).sum())
    6
    >>> model.dual_gap_
    0.0
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "precompute": ["boolean", "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
    }
    _flattens_single_target = True

    l1_ratio: float
    _takes_arrays = True

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        check_input: bool = True,
        *,
        sample_ids: Any = None,
    ) -> Any:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows; only their proportions matter.

        check_input : bool, default=True
            Kept for compatibility: input is always checked.

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
            If ``selection='random'`` or `precompute` is an array.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If coordinate descent did not converge.
        """
        if self.selection == "random":
            raise ValueError(
                "selection='random' takes a path that depends on more than the rows, so it cannot "
                "be unlearned from. Use selection='cyclic'."
            )
        if not isinstance(self.precompute, bool | np.bool_):
            raise ValueError(
                "A Gram matrix given as `precompute` cannot follow the rows that are unlearned. "
                "Use precompute=True."
            )
        if self.alpha == 0:
            warnings.warn(
                "With alpha=0 coordinate descent does not converge well. Use LinearRegression.",
                stacklevel=4,
            )
        self._fit(X, y, sample_weight, sample_ids)
        return self

    def _refit(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        weight = samples.sample_weight
        if weight is not None and not weight[rows].sum() > 0.0:
            raise NotUnlearnableError(
                "The sum of sample_weight of the remaining rows must be positive."
            )
        moments = JointMoments.from_rows(samples.X, samples.y, weight, rows, self.fit_intercept)
        solutions = self._solve(moments, affine_map, None)
        squares = moments.scatter.diagonal()[-len(solutions) :]
        if any(s.gap > self.tol * square for s, square in zip(solutions, squares, strict=True)):
            warnings.warn(
                "Coordinate descent did not converge: the duality gap is larger than tol times the "
                "square of the target. Increase max_iter, scale the features or regularize more.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self._solved(moments, solutions, rows.size, affine_map, EPS, refitted=True)

    def _unlearn_mapped(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        moments, weight = self._moments, samples.sample_weight
        if weight is None or weight[rows].sum() < (1.0 - 1e-6) * moments.weight:
            moments = moments.without(samples.X, samples.y, weight, rows, self.fit_intercept)
            starts = np.atleast_2d(to_host(self.coef_)).astype(np.float64)
            solutions = self._solve(moments, affine_map, starts)
            error = max(solution.error for solution in solutions)
            if error <= TOLERANCE:
                n_remaining = samples.n_samples - rows.size
                return self._solved(
                    moments, solutions, n_remaining, affine_map, error, refitted=False
                )
        return self._refit(samples, samples.slots_without(rows), affine_map)

    def _solved(
        self,
        moments: JointMoments,
        solutions: list[Solution],
        n_samples: int,
        affine_map: Any,
        error: float,
        *,
        refitted: bool,
    ) -> Removal:
        coef = np.stack([solution.coef for solution in solutions])
        removal = self._removal(moments, coef, moments.mean, affine_map, error, refitted=refitted)
        gaps = np.array([solution.gap for solution in solutions]) / n_samples
        n_iter = [solution.n_iter for solution in solutions]
        single = len(solutions) == 1
        removal.attributes["dual_gap_"] = float(gaps[0]) if single else self._samples.publish(gaps)
        removal.attributes["n_iter_"] = n_iter[0] if single else n_iter
        return removal

    def _solve(
        self, moments: JointMoments, affine_map: Any, starts: np.ndarray | None
    ) -> list[Solution]:
        """Solve for each target, from the given weights or from zero."""
        n_features = self.n_features_in_
        moments, scale = moments_seen(moments, affine_map, n_features)
        gram, right = normal_equations(moments.scatter, scale, 0.0)
        solutions = []
        for target in range(len(right)):
            problem = Problem(
                moments,
                scale,
                gram,
                right[target],
                n_features + target,
                self.alpha * self.l1_ratio * moments.weight,
                self.alpha * (1.0 - self.l1_ratio) * moments.weight,
                self.positive,
            )
            start = None if starts is None else starts[target]
            solutions.append(problem.solve(start, self.max_iter or 1000))
        return solutions

    @property
    def sparse_coef_(self) -> Any:
        """The weights as a CSR array of shape (n_targets, n_features)."""
        if "coef_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'sparse_coef_'")
        return sparse.csr_array(np.atleast_2d(to_host(self.coef_)))

    def to_predictor(self) -> Any:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.linear_model.ElasticNet
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.linear_model.ElasticNet)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
