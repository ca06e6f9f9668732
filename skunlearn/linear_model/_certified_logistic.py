"""Logistic regression whose releases after a removal are certified by noise."""

from __future__ import annotations

import copy
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
from sklearn.utils.metaestimators import available_if

from skunlearn._compat import Interval, StrOptions, fit_context
from skunlearn._unlearning.commit import snapshot
from skunlearn.linear_model._certified_removal import CertifiedRemoval
from skunlearn.linear_model._logistic import LogisticRegression

# What `to_predictor` hands on; `random_state` is a secret.
_PUBLISHED = ("classes_", "coef_", "intercept_", "feature_names_in_")


def _no_bound(model: Any) -> bool:
    raise AttributeError("Published parameters are noisy: no bound of their predictions is proved.")


class CertifiedLogisticRegression(CertifiedRemoval):
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
        and fewer passes over the rows. For 'output' the distance between two solutions, each
        weight in the unit of one over the root of the penalty plus a quarter of its column's
        sum of squares; default 0.01. For 'guo2020' the norm of the gradient that may remain;
        default 1.

    max_norm : float, default=None
        Declared bound on the Euclidean norm of a row (without the intercept's 1). Longer rows are
        shortened to it in `fit`, not in `predict`. None leaves rows as they are; then 'guo2020'
        refuses rows of a norm above 1.

    on_exhausted : {'refit', 'raise'}, default='refit'
        What a request does that the budget of 'guo2020' does not cover: refit with fresh noise, or
        raise and change nothing.

    random_state : int, RandomState instance or None, default=None
        Key of the noise, which is fresh for every release. None takes 256 bits from the operating
        system. Whoever knows or guesses another value can take the noise off: for tests only.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Class labels.

    coef_ : ndarray of shape (1, n_features)
        Published weights.

    intercept_ : ndarray of shape (1,)
        Published intercept.

    noise_scale_ : float
        Standard deviation of the noise: of the parameters, in the unit described under
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
    requests must not have been chosen by looking at earlier releases. The object itself, its
    pickle, its report, what is said about its budget, and an integer `random_state` are
    secret: publish ``to_predictor()``. Releases compose. It is
    no differential privacy: a release made before a request may tell all about the row, and nothing
    is said about rows that stay.

    *Theorem for 'output'.* Let D' be the remaining rows, w* the optimum on them, and M the diagonal
    matrix of the penalty plus a quarter of each column's weighted sum of squares over D', which is
    nowhere below the Hessian's diagonal. `fit` and `unlearn` each publish ``w + s M^{-1/2} z`` with
    fresh standard normal z, and only after ``||w - w*||_M <= 0.49 bound_budget`` has been proved:
    rounding and the solver's own residual are part of the proof. Hence the publications of the
    unlearned and of the retrained model are Gaussians of equal covariance, whose means are at most
    ``mu = bound_budget / s`` standard deviations apart, and by theorem 8 of [1]_ they are
    (epsilon, delta)-indistinguishable if
    ``Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu) <= delta``; s is the least such.
    Proof of the distance: the third derivative of the loss is at most the second, so the Hessian
    shrinks on the way to w* by no more than exp(-r) where predictors move by r; integrating it
    bounds the distance in the norm of the Hessian H by the gradient, and multiplication by
    ``sqrt(trace(H^{-1} M))`` turns that into the norm of M. The noise raises the loss, summed over
    rows, by s² (n_features + 1) / 2 at most on average. M is diagonal because sums of squares do
    not cancel: whoever computes it gets the same covariance to rounding, in all directions. q
    releases with independent noise and requests fixed beforehand compose to ``mu sqrt(q)``
    exactly [3]_. The last 2 % of the budget are left for what is not proved: that M and the noise
    are floats, and that a step in front of this one in a pipeline forgets up to rounding.

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
    >>> model = CertifiedLogisticRegression(epsilon=0.5)
    >>> model = model.fit(X, y, sample_ids="row numbers").unlearn([17, 300])
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
        # How many iterations it took tells of removed rows; how many it may take tells nothing.
        predictor.n_iter_ = np.array([self.max_iter], dtype=np.int32)
        return predictor
