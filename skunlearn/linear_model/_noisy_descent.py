"""A logistic classifier that forgets by a few more steps of noisy gradient descent."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval, StrOptions
from skunlearn._mixins.labels import check_two_classes, check_two_remain, codes_of
from skunlearn._privacy.accounting import gaussian_epsilon
from skunlearn._privacy.noise import secret_normal
from skunlearn._samples.hashing import draw_seed
from skunlearn._samples.strings import narrowed
from skunlearn._unlearning.commit import Removal, Replacement, reads_one_version
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.report import Guarantee
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import UnlearnerMixin
from skunlearn.linear_model._glm.losses import SingleLoss, SoftmaxLoss
from skunlearn.linear_model._glm.pointwise_losses import LogisticLoss
from skunlearn.linear_model._logistic_classifier import LogisticClassifierMixin
from skunlearn.linear_model._noisy_accounting import ASSUMPTIONS, Descent
from skunlearn.linear_model._noisy_steps import clipped, noisy_steps


class NoisyDescentClassifier(
    LogisticClassifierMixin, UnlearnerMixin, ClassifierMixin, BaseEstimator
):
    """Logistic regression by noisy gradient descent, which forgets by a few more steps.

    What `unlearn` publishes is (epsilon, delta)-indistinguishable from what `fit` on the remaining
    rows would publish, also for requests that were chosen by somebody who has seen all models
    published before (``accountant="neel2021"``). Two classes or more, l2 penalty.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the l2 penalty: half of ``alpha * |w|^2`` is added to the mean loss. The
        intercept is penalised too. More makes the model simpler and requests cheaper.

    norm_bound : float, default=1.0
        Bound R of the Euclidean norm of a row. It is declared, not read from the rows; longer rows
        are scaled down to it, in `fit` and when predicting.

    noise : float, default=0.05
        Scale of the noise, of the published parameters themselves for "neel2021", and for
        "langevin2024" sigma in the noise ``sqrt(2 eta) sigma`` of each step, which adds up to
        ``sigma / sqrt(alpha)`` in directions without data. More makes requests cheaper and the
        model worse.

    epsilon : float, default=1.0
        What a request may cost.

    delta : float, default=1e-5
        Probability with which epsilon may be exceeded; well below one in the number of rows.

    accountant : {'neel2021', 'langevin2024'}, default='neel2021'
        What the noise is added to, and the theorem that says what it hides; see Notes.

    radius : float, default=None
        Iterates of "langevin2024" are projected to the ball of this radius; None takes twice the
        bound of the norm of the optimum, ``2 sqrt(2 log(n_classes) / alpha)``.

    fit_intercept : bool, default=True
        Whether rows get a column of ones.

    random_state : int, RandomState instance or None, default=None
        None draws noise that nobody can repeat. An int makes everything repeatable, for tests:
        who knows it can subtract the noise.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; which there are counts as public. A class whose last row is unlearned
        disappears.

    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Published weights.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Published intercepts.

    n_steps_ : int
        Steps, each a pass over the rows, that `fit` or the last request took.

    sigma_ : float
        Standard deviation of the noise of the published parameters ("neel2021") or of each step.

    epsilon_spent_ : float
        With `delta`, what all models published so far tell together about any single row,
        compared with another row in its place, however requests were chosen: differential privacy.
        It grows with each publication since `fit`, before and after a removal; what other fits
        published adds to it.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request, with epsilon and delta.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    LogisticRegression : Forgets exactly, without noise.

    Notes
    -----
    *Constants.* F(w) is the mean of the logistic (softmax) losses plus ``alpha/2 |w|^2``, with rows
    of norm at most ``r = sqrt(R^2 + 1)``, r = R without intercept. It is m = alpha strongly convex,
    and L = alpha + r^2/4 smooth (two classes; alpha + r^2/2 for more); a row's loss has a gradient
    of norm at most M = r (sqrt(2) r). The step size is eta = 2/(L + m), so that a step brings two
    points together by c = (L - m)/(L + m). Removing k of n rows changes a step by at most
    2 eta k M/n, and moves the optimum by at most Z = 2kM/(mn). The number of steps of a fit depends
    on declared parameters only. A request takes as many steps as epsilon and delta ask for; one
    that removes a whole class starts from zero, which is a fit: epsilon = 0.

    *neel2021* (perturbed gradient descent with a secret state [1]_): steps without noise; what is
    published is the iterate plus Gaussian noise, fresh each time. The norm of the optimum is at
    most ``sqrt(2 log(n_classes) / alpha)``, so that after the T steps of a fit the iterate is
    within ``b = c^T sqrt(2 log(n_classes) / alpha)`` of it, and after a request with K steps
    within ``c^K (b' + Z)``, b' being the bound before. This holds for *every* sequence of
    requests, hence for one that was chosen by looking at what was published. Given all of that,
    what is compared are two Gaussians whose means differ by at most the two bounds: theorem 8
    of [2]_ turns that into epsilon and delta exactly, in the place of the constants of [1]_. The
    iterate is stored: scope 'output'; `purge` computes it anew from the rows held.

    *langevin2024* ([3]_, projected noisy gradient descent, and its full batch in [4]_): noise in
    each step, published as it is, nothing secret but the rows. The account adds distances over
    requests, ``e = c^K (e' + Z)``, as [4]_ does where [3]_ doubles Renyi orders, and turns them
    into Gaussian differential privacy by shifted interpolation [5]_, over the T steps that lead to
    the present model: ``mu = (e + c^T radius) sqrt((1 - c^2)/(1 - c^(2T))) / (sqrt(2 eta) sigma)``.
    That is below the bounds of [3]_ and [4]_. It compares with a fit before anybody has seen
    a model: for requests chosen by somebody who has, the published iterate is no longer random, and
    no number of steps short of a fit's helps. What then holds is `epsilon_spent_` [6]_ [7]_.

    *Not covered*: what a published model tells about rows that it was fitted on is
    `epsilon_spent_`, for one row; a person with k rows multiplies mu by k. The number of rows
    counts as public. Scaling or selecting columns by looking at the rows is outside of the
    account. Noise is drawn in floating point.

    References
    ----------
    .. [1] Neel, Roth, Sharifi-Malvajerdi: Descent-to-delete: gradient-based methods for machine
       unlearning, ALT 2021.
    .. [2] Balle, Wang: Improving the Gaussian mechanism for differential privacy, ICML 2018.
    .. [3] Chien, Wang, Chen, Li: Langevin unlearning: a new perspective of noisy gradient descent
       for machine unlearning, NeurIPS 2024.
    .. [4] Chien, Wang, Chen, Li: Certified machine unlearning via noisy stochastic gradient
       descent, NeurIPS 2024 (tracking of the infinite Wasserstein distance).
    .. [5] Bok, Su, Altschuler: Shifted interpolation for differential privacy, ICML 2024, section
       4 (strongly convex losses).
    .. [6] Gupta, Jung, Neel, Roth, Sharifi-Malvajerdi, Waites: Adaptive machine unlearning,
       NeurIPS 2021.
    .. [7] Chourasia, Shah: Forget unlearning: towards true data-deletion in machine learning,
       ICML 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skunlearn.linear_model import NoisyDescentClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> model = NoisyDescentClassifier(random_state=0)
    >>> model = model.fit(X, y, sample_ids="row numbers").unlearn([17, 300])
    >>> model.unlearning_report_.guarantee.epsilon <= 1.0
    True
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "norm_bound": [Interval(Real, 0, None, closed="neither")],
        "noise": [Interval(Real, 0, None, closed="neither")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "delta": [Interval(Real, 0, 1, closed="neither")],
        "accountant": [StrOptions({"neel2021", "langevin2024"})],
        "radius": [Interval(Real, 0, None, closed="neither"), None],
        "fit_intercept": ["boolean"],
        "random_state": ["random_state"],
    }
    _overwritten: ClassVar[tuple[str, ...]] = ("_iterate",)

    _accounts = ("n_steps_", "epsilon_spent_", "_spent", "_gap")

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        norm_bound: float = 1.0,
        noise: float = 0.05,
        epsilon: float = 1.0,
        delta: float = 1e-5,
        accountant: str = "neel2021",
        radius: float | None = None,
        fit_intercept: bool = True,
        random_state: Any = None,
    ):
        self.alpha = alpha
        self.norm_bound = norm_bound
        self.noise = noise
        self.epsilon = epsilon
        self.delta = delta
        self.accountant = accountant
        self.radius = radius
        self.fit_intercept = fit_intercept
        self.random_state = random_state

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        return UnlearningTags("certified", "output" if self.accountant == "neel2021" else "state")

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> NoisyDescentClassifier:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; those longer than `norm_bound` are scaled down.

        y : array-like of shape (n_samples,)
            Class labels.

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
            If y has one class only.
        """
        sources = (X, y, None)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64, order="C")
        check_classification_targets(y)
        classes = np.unique(y)
        check_two_classes(self, classes)
        seed = self._first_seed()
        self._hold_samples(clipped(X, self.norm_bound), y, sources=sources, sample_ids=sample_ids)
        self._bound = float(self.norm_bound)
        self.__dict__.update(self._afresh(self._samples.slots(), classes, seed, 0.0))
        return self

    def _first_seed(self) -> bytes:
        """Return the seed of the first noise; a pipeline that refits hands on the next one."""
        if self._taken_over.seed is not None:
            return self._taken_over.seed
        if self.random_state is None:
            return secrets.token_bytes(32)
        return hashlib.blake2b(str(draw_seed(self.random_state)).encode(), digest_size=32).digest()

    def _plan(self, n_classes: int) -> Descent:
        """Choose the constants of the descent from declared parameters."""
        return Descent.of_logistic_loss(
            n_classes,
            self._bound**2 + self.fit_intercept,
            alpha=float(self.alpha),
            radius=self.radius,
            noise=float(self.noise),
            epsilon=float(self.epsilon),
            delta=float(self.delta),
            accountant=self.accountant,
        )

    def _afresh(
        self, rows: np.ndarray, classes: np.ndarray, seed: bytes, spent: float
    ) -> dict[str, Any]:
        """Descend from zero on the given rows, and publish."""
        descent = self._plan(classes.size)
        n_params = (1 if classes.size == 2 else classes.size) * (
            self.n_features_in_ + self.fit_intercept
        )
        return {"_descent": descent, "classes_": classes} | self._publish(
            descent, rows, classes, np.zeros(n_params), descent.n_steps, seed, 0.0, spent
        )

    def _publish(
        self,
        descent: Descent,
        rows: np.ndarray,
        classes: np.ndarray,
        start: np.ndarray,
        n_steps: int,
        seed: bytes,
        gap: float,
        spent: float,
    ) -> dict[str, Any]:
        """Descend from a start; return the attributes of the model that comes of it.

        `gap` and `spent` are what the account says after and before.
        """
        theta = self._descend(descent, rows, classes, start, n_steps, seed)
        public = theta
        if descent.secret:
            public = theta + descent.noise * secret_normal(seed, b"release", theta.size)
        table = public.reshape(-1, self.n_features_in_ + self.fit_intercept)
        intercept = table[:, -1].copy() if self.fit_intercept else np.zeros(len(table))
        spent = float(np.hypot(spent, descent.mu_published(n_steps, rows.size)))
        return {
            "coef_": table[:, : self.n_features_in_].copy(),
            "intercept_": intercept,
            "n_steps_": n_steps,
            "sigma_": descent.noise if descent.secret else descent.step_noise,
            "epsilon_spent_": gaussian_epsilon(descent.delta, spent),
            "_iterate": theta if descent.secret else None,
            "_gap": gap,
            "_spent": spent,
            "_seed": hashlib.blake2b(seed, digest_size=32, person=b"next").digest(),
        }

    def _descend(
        self,
        descent: Descent,
        rows: np.ndarray,
        classes: np.ndarray,
        theta: np.ndarray,
        n_steps: int,
        seed: bytes,
    ) -> np.ndarray:
        """Take projected noisy gradient steps on the given rows."""
        samples = self._samples
        labels: Any = samples.y
        weights = np.zeros(samples.n_slots)
        weights[rows] = 1.0
        codes = np.zeros(samples.n_slots)
        codes[rows] = codes_of(classes, labels[rows])
        loss: Any = SoftmaxLoss(classes.size, self.fit_intercept, np.ones(classes.size))
        if classes.size == 2:
            loss = SingleLoss(LogisticLoss(), self.fit_intercept, np.ones(2))

        def gradient(theta: np.ndarray) -> np.ndarray:
            return loss.gradient_sums(samples.X, codes, weights, theta).gradient / rows.size

        return noisy_steps(descent, gradient, theta, n_steps, seed)

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples, descent = self._samples, self._descent
        kept = samples.slots_without(rows)
        labels: Any = samples.y
        classes = np.unique(narrowed(labels[kept]))
        check_two_remain(self, classes)
        if classes.size < self.classes_.size:
            attributes = self._afresh(kept, classes, self._seed, self._spent)
            certificate = attributes["_descent"].certificate(None)
            n_passes = attributes["n_steps_"] * kept.size / samples.n_samples
            return Removal(attributes, certificate, n_refitted=1, n_passes=n_passes)
        gap, n_steps = self._steps_without(rows)
        gap *= descent.contraction**n_steps
        start = self._iterate if descent.secret else self._published()
        attributes = self._publish(
            descent, kept, classes, start, n_steps, self._seed, gap, self._spent
        )
        n_passes = n_steps * kept.size / samples.n_samples
        return Removal(attributes, descent.certificate(gap), n_passes=n_passes)

    def _steps_without(self, rows: np.ndarray) -> tuple[float, int]:
        """Return how far the iterate may be off without some rows, and the steps that takes."""
        gap = self._gap + self._descent.shift(rows.size, self._samples.n_samples)
        return gap, self._descent.steps_for(gap)

    def _cost(self, rows: np.ndarray) -> Foretold:
        labels: Any = self._samples.y
        classes = np.unique(narrowed(labels[self._samples.slots_without(rows)]))
        check_two_remain(self, classes)
        cost = self._cost_of_fit(rows)
        if classes.size < self.classes_.size:
            return cost, None
        share = self._steps_without(rows)[1] / self._descent.n_steps
        cost = replace(
            cost, n_parts_touched=0, n_passes=share * cost.n_passes, seconds=share * cost.seconds
        )
        return cost, None

    def _n_passes_of_fit(self) -> float:
        return self._descent.n_steps

    def _static_guarantee(self) -> Guarantee:
        """Return what holds for the model as it was published last."""
        return self._descent.certificate(self._gap)

    def _assumptions(self) -> str:
        return ASSUMPTIONS[self.accountant]

    def _published(self) -> np.ndarray:
        """Return the published parameters as one vector."""
        if not self.fit_intercept:
            return self.coef_.ravel()
        return np.hstack([self.coef_, self.intercept_[:, None]]).ravel()

    def _adopt(self, fresh: Any) -> list[Replacement]:
        """Go on with the account where a pipeline refits."""
        fresh._spent = float(np.hypot(fresh._spent, self._spent))
        fresh.epsilon_spent_ = gaussian_epsilon(fresh.delta, fresh._spent)
        return super()._adopt(fresh)

    def _purge(self) -> dict[str, Any]:
        """Compute the secret iterate anew, so that nothing of former rows is in it."""
        descent = self._descent
        if not descent.secret:
            return {}
        rows = self._samples.slots()
        start = np.zeros(self._iterate.size)
        iterate = self._descend(descent, rows, self.classes_, start, descent.n_steps, self._seed)
        return {"_iterate": iterate, "_gap": 0.0}

    def _as_namesake(self, cls: type) -> Any:
        predictor = super()._as_namesake(cls)
        # The account of one publication of the remaining rows, as a fit makes it.
        descent, n_rows = self._descent, self._samples.n_samples
        predictor.n_steps_ = descent.n_steps
        spent = descent.mu_published(descent.n_steps, n_rows)
        predictor.epsilon_spent_ = gaussian_epsilon(descent.delta, spent)
        return predictor

    def _as_stored(self, X: Any) -> Any:
        return clipped(super()._as_stored(X), self._bound)

    @reads_one_version
    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the score of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; those longer than `norm_bound` are scaled down.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes that of the second, positive where it is predicted.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        scores = clipped(X, self.norm_bound) @ self.coef_.T + self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.non_deterministic = self.random_state is None
        return tags
