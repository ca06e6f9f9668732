"""RidgeCV that forgets rows."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import KFold

from skunlearn._compat import Interval, StrOptions
from skunlearn._kernels.least_squares import normal_equations
from skunlearn._linalg.eigenvectors import spectrum
from skunlearn._linalg.precision import EPS
from skunlearn._samples.store import SampleStore
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._validation import refuse_overflow
from skunlearn.base import Removal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model._base_ridge import BaseRidge
from skunlearn.linear_model._behind_map import moments_seen


class RidgeCV(MultiOutputMixin, RegressorMixin, BaseRidge):
    """Ridge regression that chooses its penalty by cross-validation and forgets rows exactly.

    Same parameters, fitted attributes and predictions as :class:`sklearn.linear_model.RidgeCV`. The
    penalty is chosen anew for each request, from the remaining rows. That takes a pass over
    them: O(n d^2) for leave-one-out, O(n d^2) and a solution per fold and penalty otherwise. The
    solution itself comes from joint moments, as in :class:`Ridge`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        Penalties to choose from, positive; with `cv` also zero.

    fit_intercept : bool, default=True
        Whether to fit an intercept.

    scoring : str or callable, default=None
        What to choose by; None for the squared error of leave-one-out predictions, and for the
        coefficient of determination with `cv`.

    cv : int, default=None
        None for leave-one-out; a number of folds for folds of neighbouring rows. Splitters and
        lists of splits name rows by their position, which changes when rows go; they raise.

    gcv_mode : {'auto', 'svd', 'eigen'}, default=None
        Kept for compatibility: all give the same solution.

    store_cv_results : bool, default=False
        Whether to set `cv_results_`; leave-one-out only.

    alpha_per_target : bool, default=False
        Whether each target gets its own penalty; leave-one-out only.

    Attributes
    ----------
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        Squared leave-one-out errors of the rows held, or their leave-one-out predictions where
        `scoring` is given; if ``store_cv_results=True``.

    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Weights.

    intercept_ : float or ndarray of shape (n_targets,)
        Independent term; 0.0 if ``fit_intercept=False``.

    alpha_ : float or ndarray of shape (n_targets,)
        The penalty chosen.

    best_score_ : float or ndarray of shape (n_targets,)
        Its score.

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
    Ridge : With a given penalty; a request makes no pass over the rows.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-9, given that no two penalties score
    equally well up to rounding.

    References
    ----------
    .. [1] Golub, Heath, Wahba: Generalized cross-validation as a method for choosing a good ridge
       parameter, Technometrics 21(2), 1979, equation 2.3.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.linear_model import RidgeCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RidgeCV(alphas=[1e-3, 1e-2, 1e-1, 1]).fit(X, y, sample_ids="row numbers")
    >>> model.alpha_
    0.01
    >>> model.unlearn(range(200)).alpha_
    0.1
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alphas": ["array-like", Interval(Real, 0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "cv": ["cv_object"],
        "gcv_mode": [StrOptions({"auto", "svd", "eigen"}), None],
        "store_cv_results": ["boolean"],
        "alpha_per_target": ["boolean"],
    }
    positive = False

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
    ):
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None) -> RidgeCV:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows; they count in scores as well, as in scikit-learn 1.9.

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
            If a penalty is negative, or `cv` is neither None nor a number of folds.
        """
        alphas = self._alphas()
        if alphas.min() < 0.0 or (self.cv is None and alphas.min() == 0.0):
            wanted = "> 0.0" if self.cv is None else ">= 0.0"
            raise ValueError(f"alphas == {alphas.min()}, must be {wanted}.")
        if self.cv is not None:
            if not isinstance(self.cv, Integral):
                raise ValueError(
                    f"cv={self.cv!r} names rows by their position, which changes when rows are "
                    "unlearned. Use a number of folds, or None for leave-one-out."
                )
            for name in ("store_cv_results", "alpha_per_target"):
                if getattr(self, name):
                    raise ValueError(f"cv!=None and {name}=True are incompatible")
        self.__dict__.pop("cv_results_", None)
        self._fit(X, y, sample_weight, sample_ids)
        return self

    def _alphas(self) -> np.ndarray:
        return np.asarray(self.alphas, dtype=np.float64).reshape(-1)

    def _choose_penalties(
        self,
        samples: SampleStore,
        moments: JointMoments | None,
        rows: Callable[[], np.ndarray],
        affine_map: Any,
    ) -> tuple[list[float], dict[str, Any]]:
        n_targets = samples.y.shape[1]
        alphas = self._alphas()
        if self.cv is None:
            scores, chosen = self._leave_one_out(samples, moments, rows(), affine_map, alphas)
        else:
            scores, chosen = self._by_folds(samples, moments, rows(), affine_map, alphas), {}
        best = scores.argmax(axis=0)
        score = scores.max(axis=0)
        # Minus infinity is a score: the errors' squares overflow, or a row has a leverage of one.
        refuse_overflow(self, np.exp(np.minimum(score, 0.0)))
        if self.alpha_per_target and n_targets == 1:
            best, score = best[0], score[0] if self._single else score
        penalty = alphas[best]
        chosen |= {
            "alpha_": penalty if np.ndim(penalty) else float(penalty),
            "best_score_": score,
        }
        return np.broadcast_to(penalty, n_targets).tolist(), chosen

    def _leave_one_out(
        self,
        samples: SampleStore,
        moments: JointMoments | None,
        rows: np.ndarray,
        affine_map: Any,
        alphas: np.ndarray,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Score each penalty on what the other rows predict for each row.

        In the coordinates of the principal axes, where the normal equations are diagonal.
        """
        if rows.size < 2:
            raise ValueError("Leave-one-out needs two rows or more; there is n_samples=1.")
        X, y, mean = self._centred_rows(samples, rows, affine_map)
        weight = None if samples.sample_weight is None else samples.sample_weight[rows]
        if moments is None or rows.size - self.fit_intercept <= X.shape[1]:
            errors = self._errors_of_wide(X, y, weight, alphas)
        else:
            seen, scale = moments_seen(moments, affine_map, X.shape[1])
            values, axes = spectrum(normal_equations(seen.scatter, scale, 0.0)[0])
            errors = self._errors_of_long(X @ axes.T, values, y, weight, alphas)
        if self.scoring is None:
            results = errors**2
            scores = -results.mean(axis=0).T
            if not self.alpha_per_target:
                scores = scores.mean(axis=1)
        else:
            results = y[:, :, None] - errors
            if weight is not None:
                results /= np.sqrt(weight)[:, None, None]
            results += mean[-y.shape[1] :, None]
            scores = self._scores(results, samples.y[rows], weight)
        if not self.store_cv_results:
            return scores, {}
        kept = results[:, 0] if self._single else results
        return scores, {"cv_results_": np.array(kept, dtype=samples.X.dtype)}

    def _errors_of_long(
        self,
        X: np.ndarray,
        values: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None,
        alphas: np.ndarray,
    ) -> np.ndarray:
        """Return leave-one-out errors, where `X` has orthogonal columns with squares `values`."""
        gains = 1.0 / (values[:, None] + alphas)
        leverage = (X * X) @ gains
        if self.fit_intercept:
            share = np.ones(len(X)) if weight is None else weight
            leverage += (share / share.sum())[:, None]
        cross = X.T @ y
        errors = np.empty((len(X), y.shape[1], alphas.size))
        for position in range(alphas.size):
            fitted = X @ (gains[:, [position]] * cross)
            with np.errstate(divide="ignore", invalid="ignore"):
                errors[:, :, position] = (y - fitted) / (1.0 - leverage[:, [position]])
        return errors

    def _errors_of_wide(
        self, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None, alphas: np.ndarray
    ) -> np.ndarray:
        """Return leave-one-out errors of rows that the model fits but for the penalty.

        Both ``y - fitted`` and ``1 - leverage`` are near to zero then. As products with the inverse
        of ``XX' + alpha`` they are not, on the orthogonal complement of what the intercept fits.
        """
        if self.fit_intercept:
            reflector = np.ones(len(X)) if weight is None else np.sqrt(weight)
            reflector[0] += np.linalg.norm(reflector)
            factor = 2.0 / (reflector @ reflector)
            X = (X - np.outer(factor * reflector, reflector @ X))[1:]
        left, singular = np.linalg.svd(X, full_matrices=False)[:2]
        if self.fit_intercept:
            left = np.vstack([np.zeros(left.shape[1]), left])
            left -= np.outer(factor * reflector, reflector @ left)
        gains = 1.0 / (singular[:, None] ** 2 + alphas)
        fall = (left * left) @ gains
        cross = left.T @ y
        rest = [left @ (gains[:, [position]] * cross) for position in range(alphas.size)]
        return np.stack(rest, axis=2) / fall[:, None, :]

    def _scores(
        self, predictions: np.ndarray, y: np.ndarray, weight: np.ndarray | None
    ) -> np.ndarray:
        scorer = check_scoring(self, scoring=self.scoring)
        extras = {} if weight is None else {"sample_weight": weight}
        scores = []
        for position in range(predictions.shape[2]):
            if self.alpha_per_target:
                pairs = list(zip(predictions[:, :, position].T, y.T, strict=True))
                scores.append([scorer(_Predicted(), p, target, **extras) for p, target in pairs])
            elif self._single:
                scores.append(scorer(_Predicted(), predictions[:, 0, position], y[:, 0], **extras))
            else:
                scores.append(scorer(_Predicted(), predictions[:, :, position], y, **extras))
        return np.array(scores)

    def _by_folds(
        self,
        samples: SampleStore,
        moments: JointMoments | None,
        rows: np.ndarray,
        affine_map: Any,
        alphas: np.ndarray,
    ) -> np.ndarray:
        """Score each penalty on folds of neighbouring rows."""
        scorer = check_scoring(self, scoring=self.scoring)
        scores = np.empty((self.cv, alphas.size))
        for fold, (train, test) in enumerate(KFold(self.cv).split(rows)):
            part = None
            if moments is not None and train.size > self.n_features_in_:
                part = moments.without(
                    samples.X, samples.y, samples.sample_weight, rows[test], self.fit_intercept
                )
            X, y = samples.X[rows[test]], samples.y[rows[test]]
            if affine_map is not None:
                X = affine_map.of(X)
            if self._single:
                y = y[:, 0]
            extras = {}
            if samples.sample_weight is not None:
                extras["sample_weight"] = samples.sample_weight[rows[test]]
            for position, alpha in enumerate(alphas.tolist()):
                removal = self._ridge(samples, part, rows[train], affine_map, alpha)
                coef, intercept = removal.attributes["coef_"], removal.attributes["intercept_"]
                scores[fold, position] = scorer(_Predicted(), X @ coef.T + intercept, y, **extras)
        return scores.mean(axis=0)

    def _ridge(
        self,
        samples: SampleStore,
        moments: JointMoments | None,
        rows: np.ndarray,
        affine_map: Any,
        alpha: float,
    ) -> Removal:
        """Solve with one penalty."""
        penalties = [alpha] * samples.y.shape[1]
        if moments is not None:
            coef, _ = self._solve(moments, affine_map, penalties)
            if coef is not None:
                return self._removal(None, coef, moments.mean, affine_map, EPS, refitted=False)
        X, y, mean = self._centred_rows(samples, rows, affine_map)
        coef = self._solve_from_rows(X, y, penalties)
        return self._removal(None, coef, mean, affine_map, EPS, refitted=False)

    def _unlearn_mapped(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        try:
            return super()._unlearn_mapped(samples, rows, affine_map)
        except NotUnlearnableError:
            raise
        except ValueError as error:
            raise NotUnlearnableError(
                f"RidgeCV cannot be fitted on the rows that would remain: {error} Nothing was "
                "changed."
            ) from error

    def to_predictor(self) -> sklearn.linear_model.RidgeCV:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.linear_model.RidgeCV
            Fitted; holds no training row and not what was predicted for any.
        """
        predictor = self._as_namesake(sklearn.linear_model.RidgeCV)
        predictor.__dict__.pop("cv_results_", None)
        return predictor


class _Predicted(RegressorMixin, BaseEstimator):
    """Hands predictions that were made already to a scorer."""

    def predict(self, X: Any) -> Any:
        """Return what it is given."""
        return X
