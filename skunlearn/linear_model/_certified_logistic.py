"""Logistic regression whose releases after a removal are certified by noise."""

from __future__ import annotations

import copy
import hashlib
import secrets
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
from scipy import linalg, sparse
from scipy.linalg import lapack
from sklearn.utils.metaestimators import available_if

from skunlearn._column_moments import power_of_two_above
from skunlearn._compat import Interval, StrOptions, fit_context
from skunlearn._hashing import draw_seed
from skunlearn._privacy import gaussian_epsilon, gaussian_mu
from skunlearn._report import Guarantee
from skunlearn._swap import Removal, Swap, snapshot
from skunlearn._tags import UnlearningTags
from skunlearn.exceptions import BudgetExhaustedError, NotUnlearnableError
from skunlearn.linear_model._certified import TiltedProblem, distance, secret_normal
from skunlearn.linear_model._glm import _LOGISTIC_THIRD, _LONGEST_STEP, _WORN, _at_home
from skunlearn.linear_model._glm_solver import EPS, Factor, Problem, State, polish, state_at
from skunlearn.linear_model._logistic import LogisticRegression

# Share of the distance that the noise covers which either side may use; the rest is for rounding.
_SHARE = 0.49

# Share of the gradient residual that the noise covers which the solver may use, on either side.
_SOLVER_SHARE = 0.01

# Rows may exceed a declared norm by this much, relatively: what scaling them to it leaves.
_NORM_SLACK = 1e-6

# What `to_predictor` hands on; `random_state` is a secret.
_PUBLISHED = ("classes_", "coef_", "intercept_", "n_iter_", "feature_names_in_")


def _no_bound(model: Any) -> bool:
    raise AttributeError("Published parameters are noisy: no bound of their predictions is proved.")


class CertifiedLogisticRegression(LogisticRegression):
    """Binary logistic regression whose releases are certified not to depend on removed rows.

    What it publishes, `coef_` and `intercept_`, carries noise. After a request the published
    parameters are (epsilon, delta)-indistinguishable from those of a model retrained on the rows
    left: no test can tell them apart with better odds. The exact solution stays inside the object,
    as part of its secret state.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the l2 penalty, on the sum over rows as in scikit-learn. Finite. With
        ``mechanism='guo2020'`` the intercept is penalised too: otherwise there may be noise for
        which no optimum exists.

    fit_intercept : bool, default=True
        Whether to fit an intercept.

    class_weight : dict or 'balanced', default=None
        Weights of the classes. 'balanced', chosen anew with each request, needs
        ``mechanism='output'``.

    max_iter : int, default=100
        Passes over the rows that `fit` may take.

    epsilon : float, default=1.0
        Bound on the logarithm of the odds, per release.

    delta : float, default=1e-5
        Probability, per release, that is left out of the bound. Should be well below one over the
        number of rows.

    mechanism : {'output', 'guo2020'}, default='output'
        'output' adds noise to the optimum. Each request is certified by a pass over the rows that
        proves how far the optimum can be, and errors of requests do not add up. 'guo2020' [2]_ adds
        a random linear term to the loss, and steps without a pass over the rows until the bounds of
        the steps, which add up, have spent a budget; see Notes.

    bound_budget : float, default=None
        What the noise has to cover, declared before any row is seen: more of it means more noise
        and fewer passes over the rows. For 'output' the distance between two solutions, in a norm
        in which half the square bounds the loss it costs, summed over rows; default 0.01. For
        'guo2020' the norm of the gradient that may remain; default 1.

    max_norm : float, default=None
        Declared bound on the Euclidean norm of a row (without the intercept's 1). Longer rows are
        shortened to it in `fit`, not in `predict`. None leaves rows as they are; then 'guo2020'
        refuses rows of a norm above 1.

    on_exhausted : {'refit', 'raise'}, default='refit'
        What a request does that the budget of 'guo2020' does not cover: refit with fresh noise, or
        raise and change nothing.

    random_state : int, RandomState instance or None, default=None
        Key of the noise. None takes it from the operating system. Who knows an integer can take
        the noise off: for tests only.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Class labels.

    coef_ : ndarray of shape (1, n_features)
        Published weights.

    intercept_ : ndarray of shape (1,)
        Published intercept.

    noise_scale_ : float
        Standard deviation of the noise: of the parameters in the norm described under
        `bound_budget`, or of the linear term.

    budget_spent_, budget_left_ : float
        For 'guo2020' how much of `bound_budget` has been spent since the last refit, the solver's
        own residual included, and the rest. For 'output' the certified distance of the current
        solution, which is proved anew with each request, and what is missing to what it may be.

    requests_until_refit_ : float
        Estimate, as if what is spent grew with the power 3/2 of the number of requests, at a rate
        between that of average rows and that of the requests so far. Infinite for 'output'.

    n_releases_ : int
        Releases after requests, since `fit`; the composed guarantee in the report covers them all.

    n_iter_ : ndarray of shape (1,)
        Passes over the rows that `fit` took.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request; ``report.guarantee`` has epsilon, delta and the bound.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    LogisticRegression : Exact, or with a bound instead of noise; also for more than two classes.

    Notes
    -----
    *Scope.* One release after a request is compared with one release of a retrained model. The
    requests must not have been chosen by looking at earlier releases. The object itself, its pickle
    and an integer `random_state` are secret: publish ``to_predictor()``. Releases compose. It is
    no differential privacy: a release made before a request may tell all about the row, and nothing
    is said about rows that stay.

    *Theorem for 'output'.* Let D' be the rows left, w* the optimum on them, L the penalty's
    diagonal and ``M = L + X'WX / 4`` over the rows of D', which is at least the Hessian everywhere.
    `fit` and `unlearn` each publish ``w + s M^{-1/2} z`` with fresh standard normal z, and only
    after ``||w - w*||_M <= 0.49 bound_budget`` has been proved: rounding and the solver's own
    residual are part of the proof. Hence the publications of the unlearned and of the retrained
    model are Gaussians of equal covariance, whose means are at most bound_budget / s =: mu apart
    in units of it, and by theorem 8 of [1]_ they are (epsilon, delta)-indistinguishable if
    ``Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu) <= delta``; s is the least such.
    Proof of the distance: the third derivative of the loss is at most the second, so the Hessian
    shrinks on the way to w* by no more than exp(-r) where predictors move by r; integrating it
    bounds the distance in the norm of the Hessian by the gradient, and multiplication by
    ``sqrt(trace(H^{-1} M))`` turns that into the norm of M. The noise raises the loss, summed over
    rows, by s² (n_features + 1) / 2 at most on average. q releases with independent noise and
    requests fixed beforehand compose to ``mu sqrt(q)`` exactly [3]_. The last 2 % of the budget
    are left for what is not proved: that M is a sum of floats, and that a step in front of this one
    in a pipeline forgets up to rounding.

    *'guo2020'.* The loss gets a term b'w with b normal of deviation s, drawn at fit. A Newton step
    without a pass leaves a gradient of at most
    ``R ||X||_2 (||w - w_ref|| + ||d|| / 2) sqrt(d'Kd) / (6 sqrt(3))``, with d the step, w_ref where
    the Hessian was evaluated and K = X'WX; the constant is 5.2 times smaller than the one
    in [2]_. These bounds, the residual of the solver at fit and rounding add up. The solver may
    leave 1 % of the budget on either side. The budget is ``s epsilon / sqrt(2 log(1.5 / delta))``
    as in theorem 3 of [2]_, and lower where epsilon is so large that theorem 8 of [1]_ asks for it.
    As in [2]_ the residual is treated like a shift of b that does not depend on b; 'output' makes
    no such assumption. Releases between two refits share b: who sees two of them learns
    the gradient of the rows removed in between, so that no composed guarantee is stated. The
    removed row's trace in one release is what is certified.

    References
    ----------
    .. [1] Balle, Wang: Improving the Gaussian mechanism for differential privacy, ICML 2018.
    .. [2] Guo, Goldstein, Hannun, van der Maaten: Certified data removal from machine learning
       models, ICML 2020, theorem 3 and corollary 1.
    .. [3] Dong, Roth, Su: Gaussian differential privacy, Journal of the Royal Statistical Society
       B 84, 2022, corollary 2.
    .. [4] Sun, Tran-Dinh: Generalized self-concordant functions, Mathematical Programming 178,
       2019.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skunlearn.linear_model import CertifiedLogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> model = CertifiedLogisticRegression(epsilon=0.5).fit(X, y).unlearn([17, 300])
    >>> guarantee = model.unlearning_report_.guarantee
    >>> guarantee.kind, guarantee.epsilon, guarantee.delta
    ('certified', 0.5, 1e-05)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "delta": [Interval(Real, 0, 1, closed="neither")],
        "mechanism": [StrOptions({"output", "guo2020"})],
        "bound_budget": [Interval(Real, 0, None, closed="neither"), None],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "on_exhausted": [StrOptions({"refit", "raise"})],
        "random_state": ["random_state"],
    }

    # What a LogisticRegression can choose and this model cannot.
    penalty = "deprecated"
    l1_ratio = 0.0
    dual = False
    solver = "lbfgs"
    unlearning = "newton"

    def __init__(
        self,
        *,
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: Any = None,
        max_iter: int = 100,
        epsilon: float = 1.0,
        delta: float = 1e-5,
        mechanism: str = "output",
        bound_budget: float | None = None,
        max_norm: float | None = None,
        on_exhausted: str = "refit",
        random_state: Any = None,
    ):
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.epsilon = epsilon
        self.delta = delta
        self.mechanism = mechanism
        self.bound_budget = bound_budget
        self.max_norm = max_norm
        self.on_exhausted = on_exhausted
        self.random_state = random_state

    @property
    def _unlearning_tags(self) -> UnlearningTags:  # type: ignore[override]
        return UnlearningTags("certified", "output")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> CertifiedLogisticRegression:
        """Fit the model and publish it with noise.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels of two classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

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
            If y has not two classes, a row is longer than the mechanism allows, or the solution
            could not be certified to be as close to the optimum as the noise covers.
        """
        super().fit(X, y, sample_weight, sample_ids=sample_ids)
        return self

    def _refuse_unsupported(self) -> None:
        if self._is_tilted and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' weighs all rows anew with each request, which has no "
                "bound without a pass over the rows; use mechanism='output', or a dict."
            )

    @property
    def _is_tilted(self) -> bool:
        return self.mechanism == "guo2020"

    def _serves_without_pass(self) -> bool:
        return True

    def _budget(self) -> float:
        if self.bound_budget is not None:
            return self.bound_budget
        return 1.0 if self._is_tilted else 0.01

    def _mu(self) -> float:
        """Return the budget in units of the noise's standard deviation."""
        mu = gaussian_mu(self.epsilon, self.delta)
        if self._is_tilted:
            mu = min(mu, self.epsilon / np.sqrt(2.0 * np.log(1.5 / min(self.delta, 0.5))))
        return float(mu)

    def _solve(self, sources: Any, X: Any, y: np.ndarray, weight: Any, sample_ids: Any) -> None:
        if self.classes_.size > 2:
            raise ValueError(
                "Only binary classification is supported. For more classes use "
                "LogisticRegression(unlearning='bounded'), which proves how far it is from the "
                f"retrained model, without noise. The target has {self.classes_.size} classes."
            )
        X = self._within_norm(X)
        before = self.__dict__.pop("_seed_to_keep", None)
        self._seed = self._new_key() if before is None else _digest(before, b"refit")
        self.noise_scale_ = self._budget() / self._mu()
        self._tilt = self._draw_tilt(0, X.shape[1] + self.fit_intercept)
        self._n_refits = 0
        self.n_releases_ = 0
        super()._solve(sources, X, y, weight, sample_ids)
        problem = self._problem(self._weights())
        state = self._state
        state.radius = min(state.radius, self._declared_radius())
        self._peak = power_of_two_above(state.gram.diagonal())
        self._spectrum = _largest_eigenvalue(state.gram)
        self._heaviest = float(problem.loss.class_weight.max())
        spent = self._spent(problem, state)
        if not spent <= self._limit():
            raise ValueError(
                f"After {int(self.n_iter_[0])} passes the solution is certified to {spent:.2g} of "
                f"the optimum, but the noise covers {self._limit():.2g}: scale the columns, "
                "declare a max_norm, penalise more, or raise max_iter or bound_budget."
            )
        self.__dict__.update(self._published(problem, state, b"fit"))
        self._rate = self._average_rate(problem, state, self._spectrum)
        self.__dict__.update(self._account(spent, 0, self._rate))

    def _new_key(self) -> bytes:
        if self.random_state is None:
            return secrets.token_bytes(32)
        return _digest(str(draw_seed(self.random_state)).encode())

    def _draw_tilt(self, n_refits: int, n_params: int) -> np.ndarray:
        if not self._is_tilted:
            return np.zeros(n_params)
        return self.noise_scale_ * secret_normal(self._seed, b"tilt %d" % n_refits, n_params)

    def _within_norm(self, X: Any) -> Any:
        """Shorten rows to the declared norm, or refuse rows that are longer."""
        limit = self.max_norm if self.max_norm is not None else 1.0
        if self.max_norm is None and not self._is_tilted:
            return X
        squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else np.einsum("ij,ij->i", X, X)
        norms = np.sqrt(np.asarray(squares, dtype=np.float64).ravel())
        long = norms > limit * (1.0 + _NORM_SLACK)
        if not long.any():
            return X
        if self.max_norm is None:
            raise ValueError(
                f"mechanism='guo2020' takes rows of norm 1 at most, and one of X has norm "
                f"{norms.max():.3g}. Declare a max_norm, to which longer rows are shortened."
            )
        factors = np.where(long, limit / np.where(long, norms, 1.0), 1.0).astype(X.dtype)
        if sparse.issparse(X):
            return sparse.csr_array(sparse.diags_array(factors) @ X)
        return X * factors[:, np.newaxis]

    def _declared_radius(self) -> float:
        if self.max_norm is None and not self._is_tilted:
            return np.inf
        limit = (1.0 if self.max_norm is None else self.max_norm) * (1.0 + 2 * _NORM_SLACK)
        return float(np.sqrt(limit**2 + self.fit_intercept))

    def _as_stored(self, X: Any) -> Any:
        return self._within_norm(super()._as_stored(X))

    def _problem(self, weights: np.ndarray, tilt: np.ndarray | None = None) -> Problem:
        plain = super()._problem(weights)
        if not self._is_tilted:
            return plain
        tilt = self._tilt if tilt is None else tilt
        penalty = np.full(plain.penalty.size, 1.0 / self.C)
        return TiltedProblem(plain.loss, plain.X, plain.y, weights, penalty, None, tilt)

    def _shape(self, problem: Problem, state: State) -> np.ndarray:
        """Return the inverse covariance of the noise: at least the Hessian, everywhere."""
        assert state.gram is not None
        return problem.full(0.25 * state.gram)

    def _spent(self, problem: Problem, state: State) -> float:
        """Bound how far a solution is from the optimum, in the unit of the budget."""
        if self._is_tilted:
            return state.residual + _SOLVER_SHARE * self._budget()
        return distance(problem, state, self._shape(problem, state), self._limit())

    def _limit(self) -> float:
        """Return what a solution by the solver may spend."""
        return self._budget() * (2 * _SOLVER_SHARE if self._is_tilted else _SHARE)

    def _attributes(self, theta: np.ndarray) -> dict[str, Any]:
        """Publish nothing of a solution to which no noise has been added."""
        return {}

    def _published(self, problem: Problem, state: State, purpose: bytes) -> dict[str, Any]:
        theta = state.theta
        if not self._is_tilted:
            root = linalg.cholesky(self._shape(problem, state), lower=True)
            z = secret_normal(self._seed, b"release " + purpose, theta.size)
            noise = linalg.solve_triangular(root, z, lower=True, trans="T")
            theta = theta + self.noise_scale_ * noise
        return super()._attributes(theta)

    def _account(self, spent: float, n_steps: int = 0, rate: float = np.inf) -> dict[str, Any]:
        """Return the attributes about the budget after some requests since the last refit.

        `rate` is what average rows spend, by the power 3/2 of their number.
        """
        total = self._budget() * (1.0 if self._is_tilted else _SHARE)
        until = np.inf
        if self._is_tilted:
            rate = (spent - _SOLVER_SHARE * total + rate) / (n_steps**1.5 + 1.0)
            until = max((total / rate) ** (2.0 / 3.0) - n_steps, 0.0)
        return {
            "budget_spent_": spent,
            "budget_left_": max(total - spent, 0.0),
            "requests_until_refit_": float(until),
            "_n_steps": n_steps,
        }

    def _average_rate(self, problem: Problem, state: State, spectrum: float) -> float:
        """Estimate what requests for average rows spend if they move the solution at random."""
        inverse = Factor(problem.full(state.hessian)).inverse
        squares = np.trace(inverse) * np.sum(inverse * state.gram) / self._samples.n_samples**2
        return float(2.0 / 3.0 * _LOGISTIC_THIRD * state.radius * np.sqrt(spectrum * squares))

    @np.errstate(over="ignore", invalid="ignore")
    def _unlearn(self, rows: np.ndarray) -> Removal:
        tally = self._tally_without(rows)
        if self._is_tilted:
            return self._unlearn_within_budget(rows, tally)
        problem = self._problem(self._weights_without(rows))
        state, sums = self._step_without(rows, problem)
        spent, n_refitted = self._spent(problem, state), 0
        while not spent <= self._limit() and n_refitted < 2:
            n_refitted += 1
            state = polish(problem, state, max_passes=max(self.max_iter, 1))[0]
            spent = self._spent(problem, state)
        if not spent <= self._limit():
            raise NotUnlearnableError(
                f"The solution on the rows left is certified to {spent:.2g} of the optimum, but "
                f"the noise covers {self._limit():.2g}; fit would refuse them. Nothing was changed."
            )
        attributes = {**tally, **sums, **self._account(spent)}
        return self._release(problem, state, attributes, min(n_refitted, 1))

    def _unlearn_within_budget(self, rows: np.ndarray, tally: dict[str, Any] | None) -> Removal:
        problem = self._problem(self._weights())
        state, sums = self._step_without(rows, problem)
        spent = self._spent(problem, state)
        if spent <= self._budget():
            attributes = {**tally, **sums, **self._account(spent, self._n_steps + 1, self._rate)}
            return self._release(problem, state, attributes, 0)
        if self.on_exhausted == "raise":
            raise BudgetExhaustedError(
                f"The request would bring what has been spent from {self.budget_spent_:.3g} to "
                f"{spent:.3g} of a budget of {self._budget():.3g}: fit the model anew on the rows "
                "left, or set on_exhausted='refit'. Nothing was changed."
            )
        n_refits = self._n_refits + 1
        tilt = self._draw_tilt(n_refits, state.theta.size)
        problem = self._problem(self._weights_without(rows), tilt)
        here = replace(state_at(problem, self._state.theta, state.radius), gram=state.gram)
        near = polish(problem, here, max_passes=max(self.max_iter, 1))[0]
        state = self._measured(problem, _at_home(problem, near))
        spent = self._spent(problem, state)
        if not spent <= self._limit():
            raise NotUnlearnableError(
                f"The solver left {spent:.2g} of the {self._limit():.2g} that the noise covers for "
                "it; fit would refuse the rows left. Nothing was changed."
            )
        spectrum = _largest_eigenvalue(state.gram)
        rate = self._average_rate(problem, state, spectrum)
        attributes = {**tally, **sums, **self._account(spent, 0, rate)}
        attributes |= {"_tilt": tilt, "_n_refits": n_refits, "_spectrum": spectrum, "_rate": rate}
        return self._release(problem, state, attributes, 1)

    def _step_without(self, rows: np.ndarray, problem: Problem) -> tuple[State, dict[str, Any]]:
        """Take rows out of the state and make one Newton step; what it misses is in the residual.

        Where subtraction would lose digits, or the weights of all rows change, the sums over rows
        are made anew.
        """
        before = self._state
        hessian, gram, gone = problem.loss.take_out(
            self._samples, rows, before.hessian, before.gram, before.theta, before.reference
        )
        state = replace(
            before, reference=before.reference.copy(), hessian=hessian, gram=gram, residual=np.inf
        )
        gradient, sums = before.gradient - gone, {}
        rebalanced = self.class_weight == "balanced"
        if rebalanced or self._is_worn(problem, state):
            whole = self._problem(self._weights_without(rows))
            state, sums = self._summed_anew(whole, before)
            if rebalanced:
                gradient = whole.slope(before.theta).gradient
        matrix = problem.full(state.hessian)
        _, step, failed = lapack.dposv(matrix, gradient)
        length = float(np.sqrt(step @ step))
        if not failed and problem.loss.concordance * state.radius * length < _LONGEST_STEP:
            if self._is_tilted:
                missed = matrix @ step - gradient
                state.residual = before.residual + float(np.sqrt(missed @ missed))
                state.residual += self._step_error(rows, state, step, length)
            state.theta = before.theta - step
        else:
            state.theta = before.theta.copy()
        state.gradient = np.zeros(step.size)
        return state, sums

    def _step_error(self, rows: np.ndarray, state: State, step: np.ndarray, length: float) -> float:
        """Bound the gradient that a Newton step leaves, and its rounding."""
        before, size = self._state, step.size
        moved = before.theta - state.reference
        reach = float(np.sqrt(moved @ moved)) + 0.5 * length
        across = float(np.sqrt(max(step @ state.gram @ step, 0.0)))
        error = _LOGISTIC_THIRD * state.radius * reach * np.sqrt(self._spectrum) * across
        weight = float(self._weights()[rows].sum()) * self._heaviest
        bend = state.radius * float(np.sqrt(before.theta @ before.theta)) * size
        rounding = state.radius * weight * (rows.size + size + bend)
        rounding += 4.0 * size * (float(state.peak.sum()) + size / self.C) * length
        return float(error + EPS * rounding)

    def _is_worn(self, problem: Problem, state: State) -> bool:
        """Tell whether subtraction has cost the sums over rows too many digits."""
        assert state.gram is not None
        unit = EPS * state.theta.size / _WORN
        penalty = problem.penalty
        worn = unit * (state.peak + penalty) > state.hessian.diagonal() + penalty
        return bool((worn | (unit * self._peak > state.gram.diagonal() + 4.0 * penalty)).any())

    def _summed_anew(self, problem: Problem, state: State) -> tuple[State, dict[str, Any]]:
        """Sum over the rows at the state's parameters."""
        here = state_at(problem, state.theta, state.radius)
        gram = problem.loss.gram(problem.X, problem.y, problem.weights, state.theta.size)
        here = replace(here, gram=gram, gradient=state.gradient.copy(), residual=state.residual)
        peak = power_of_two_above(gram.diagonal())
        return here, {"_peak": peak, "_spectrum": _largest_eigenvalue(gram)}

    def _release(
        self, problem: Problem, state: State, attributes: dict[str, Any], n_refitted: int
    ) -> Removal:
        n_releases = self.n_releases_ + 1
        purpose = b""
        if not self._is_tilted:
            assert state.gram is not None
            purpose = _digest(b"%d" % n_releases, state.theta.tobytes(), state.gram.tobytes())
        published = self._published(problem, state, purpose)
        guarantee = self._guarantee(n_releases, attributes["budget_spent_"])
        new = {"_state": state, "n_releases_": n_releases, **attributes, **published}
        return Removal(new, guarantee, n_refitted)

    def _guarantee(self, n_releases: int, bound: float | None) -> Guarantee:
        composed = None
        if n_releases and not self._is_tilted:
            composed = gaussian_epsilon(self.delta, self._mu() * float(np.sqrt(n_releases)))
            composed = max(composed, self.epsilon)
        return Guarantee(
            "certified",
            "output",
            bound=bound,
            epsilon=self.epsilon,
            delta=self.delta,
            n_releases=n_releases,
            composed_epsilon=composed,
        )

    def _static_guarantee(self) -> Guarantee:
        state = self.__dict__
        return self._guarantee(state.get("n_releases_", 0), state.get("budget_spent_"))

    def _adopt(self, fresh: Any) -> list[Swap]:
        fresh.n_releases_ = self.n_releases_ + 1
        return super()._adopt(fresh)

    def _purge(self) -> dict[str, Any]:
        problem = self._problem(self._weights())
        state, sums = self._summed_anew(problem, self._state)
        return {
            "_state": state,
            **sums,
            "_rate": self._average_rate(problem, state, sums["_spectrum"]),
        }

    prediction_bound = available_if(_no_bound)(LogisticRegression.prediction_bound)

    def to_predictor(self) -> sklearn.linear_model.LogisticRegression:
        """Return a predict-only estimator with the published parameters, and nothing secret.

        Returns
        -------
        predictor : sklearn.linear_model.LogisticRegression
            Fitted, for deployment.
        """
        self._check_samples()
        view = snapshot(self)
        predictor = sklearn.linear_model.LogisticRegression(
            C=self.C,
            fit_intercept=self.fit_intercept,
            class_weight=copy.deepcopy(self.class_weight),
            max_iter=self.max_iter,
        )
        for name in _PUBLISHED:
            if name in view.__dict__:
                setattr(predictor, name, view.__dict__[name].copy())
        predictor.n_features_in_ = view.n_features_in_
        return predictor


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(b"%d:%b" % (len(p), p) for p in parts), digest_size=32).digest()


def _largest_eigenvalue(matrix: np.ndarray) -> float:
    """Return an upper bound of the largest eigenvalue, close to it."""
    return float(np.linalg.eigvalsh(matrix)[-1]) * (1.0 + 1e-10)
