"""The deleted row, computed from two versions of a linear model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from skunlearn._compat import fit_context
from skunlearn.attacks._answers import codes_in
from skunlearn.attacks._linear_view import LinearView, Softmax, SquaredHinge, view_of
from skunlearn.attacks._threat_model import ThreatModel

# Relative size of a change of gradients from which on it is more than rounding.
_ROUNDING = 1e-11


@dataclass(frozen=True)
class Reconstruction:
    """Rows computed from two versions of a model.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        The rows; NaN where a row left no trace.

    y : ndarray of shape (n_rows,)
        Their targets or labels; None or NaN where a row left no trace.

    confidence : ndarray of shape (n_rows,)
        Between 0 and 1: how well the change is that of one row, which it knows by the residual that
        the row would have, and how much of the row is where reference rows are.
    """

    X: np.ndarray
    y: np.ndarray
    confidence: np.ndarray


class ReconstructionAttack(BaseEstimator):
    """Compute the deleted row from the parameters before and after.

    At the optimum the derivatives of all rows add up to minus that of the penalty. What the rows
    that stay contribute to the difference between the two versions can be computed from them, or
    from a sample like them; what is left is the derivative of the deleted row, a multiple of the
    row itself. The column of ones of the intercept tells the multiple [1]_.

    It needs no training and a single pass over the reference rows, and works for `Ridge`,
    `LinearRegression`, `LogisticRegression` of two classes or more, `LinearSVC`, and the
    generalised linear models with a log link, of scikit-learn or of ours, alone or behind affine
    steps such as scalers and full principal components.

    Parameters
    ----------
    holds_row : bool, default=True
        Whether the reference rows hold the deleted row, as the training rows of the version before
        do. Rows of the version after, and public rows, do not.

    Attributes
    ----------
    n_samples_ : int
        Training rows of the version before.

    n_features_in_ : int
        Number of columns.

    Notes
    -----
    A solver that stops early hides the row behind what is missing to the optimum: with lbfgs at its
    default `tol`, reconstructions are poor. That is no defence: more exact versions are one `tol`
    away. Where several rows were deleted between the versions, what is found is their average,
    weighted by their derivatives; the confidence falls. A row outside the margin of a LinearSVC
    leaves no trace.

    References
    ----------
    .. [1] Bertran, Tang, Kearns, Morgenstern, Roth, Wu: Reconstruction attacks on machine
       unlearning: simple models are vulnerable, NeurIPS 2024, arXiv 2405.20272, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.attacks import ReconstructionAttack
    >>> from skunlearn.linear_model import Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Ridge().fit(X, y, sample_ids="row numbers")
    >>> before, after = model.to_predictor(), model.unlearn(24).to_predictor()
    >>> found = ReconstructionAttack().fit(X, y).reconstruct(before, after)
    >>> np.allclose(found.X[0], X[24]), np.allclose(found.y, y[24])
    (True, True)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {"holds_row": ["boolean"]}
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        ("R3",), ("G3",), ("K1",), ("P3",), "[90] Bertran et al., NeurIPS 2024"
    )

    def __init__(self, *, holds_row: bool = True) -> None:
        self.holds_row = holds_row

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, n_samples: int | None = None) -> Self:
        """Take the attacker's reference rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Rows of the training table, or others like them, all numbers.

        y : array-like of shape (n_rows,)
            Their targets.

        n_samples : int, default=None
            Training rows of the version before. None if the reference rows are its training rows,
            or with `holds_row` False those of the version after.

        Returns
        -------
        self : object
            The attack.
        """
        X = check_array(X, dtype=np.float64, estimator=self)
        y = column_or_1d(y)
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} rows, y {len(y)} targets.")
        if n_samples is None:
            n_samples = len(X) + (not self.holds_row)
        if n_samples < 2:
            raise ValueError(f"n_samples counts training rows, two or more; got {n_samples}.")
        self.n_samples_ = int(n_samples)
        self.n_features_in_ = X.shape[1]
        self._X, self._y = X, y
        self._low, self._high = X.min(axis=0), X.max(axis=0)
        return self

    def reconstruct(self, before: Any, after: Any) -> Reconstruction:
        """Compute the deleted row.

        Parameters
        ----------
        before, after : estimator
            Two versions of a linear model, of which the second lacks one row.

        Returns
        -------
        reconstruction : Reconstruction
            With one row.

        Raises
        ------
        ValueError
            If the versions are of other columns than the reference rows, have no intercept, or know
            other classes than these.
        """
        check_is_fitted(self, "n_samples_")
        old, new = view_of(before, self._X), view_of(after, self._X)
        n_each = self.n_features_in_ + 1
        if old.table.shape != new.table.shape or old.table.shape[1] != n_each:
            raise ValueError(
                f"The versions have parameters of shape {old.table.shape} and {new.table.shape}; "
                f"the reference rows have {self.n_features_in_} columns and there is an intercept."
            )
        change, size = self._change(old, new)
        # Of a reference with the row, what is left is the row's derivative at the second version.
        view = new if self.holds_row else old
        if not np.abs(change).max() > _ROUNDING * size:
            blank = np.full((1, self.n_features_in_), np.nan)
            return Reconstruction(blank, np.array([np.nan]), np.zeros(1))
        if isinstance(view.loss, Softmax):
            return self._of_many(view, change)
        pull = change[0, -1]
        z = change[0] / pull if pull else np.full(n_each, np.nan)
        y, consistency = _target(view, z, float(pull))
        return self._found(z, y, consistency)

    def _change(self, old: LinearView, new: LinearView) -> tuple[np.ndarray, float]:
        """Return the derivative of the deleted row, and the size of what it is the rest of."""
        Z = np.column_stack([self._X, np.ones(len(self._X))])
        targets = self._targets(old)
        n_there = self.n_samples_ if self.holds_row else self.n_samples_ - 1
        share = n_there / len(Z)
        pulls = old.pulled(self.n_samples_), new.pulled(self.n_samples_ - 1)
        sums = [share * view.gradient(Z, targets) for view in (old, new)]
        change = (sums[1] - sums[0]) + (pulls[1] - pulls[0])
        size = max(float(np.abs(part).max()) for part in (*sums, *pulls))
        if isinstance(old.loss, Softmax):
            size = max(size, float(np.abs(Z).sum(axis=0).max()) / Z.shape[0])
        return change, size

    def _targets(self, view: LinearView) -> np.ndarray:
        if view.classes is None:
            return self._y.astype(np.float64)
        codes = codes_in(view.classes, self._y).astype(np.float64)
        return 2.0 * codes - 1.0 if isinstance(view.loss, SquaredHinge) else codes

    def _of_many(self, view: LinearView, change: np.ndarray) -> Reconstruction:
        """Take the row's derivative apart, which is of rank one: ``(p - e_y) z'``."""
        left, values, right = np.linalg.svd(change)
        scale = right[0, -1]
        z = right[0] / scale if scale else np.full(right.shape[1], np.nan)
        own = values[0] * left[:, 0] * scale
        code = int(own.argmin())
        expected = view.loss.first(view.predictors(z[np.newaxis]), np.array([code]))[0]
        gap = float(np.linalg.norm(own - expected)) / max(float(np.linalg.norm(expected)), 1e-300)
        consistency = max(0.0, 1.0 - gap) * (1.0 - float(values[1] / values[0]))
        assert view.classes is not None
        return self._found(z, view.classes[code], consistency)

    def _found(self, z: np.ndarray, y: Any, consistency: float) -> Reconstruction:
        x = z[:-1]
        slack = 0.1 * (self._high - self._low) + 1e-6 * (1.0 + np.abs(self._high))
        within = (x >= self._low - slack) & (x <= self._high + slack)
        confidence = np.array([consistency * float(within.mean())])
        return Reconstruction(x[np.newaxis], np.array([y]), np.nan_to_num(confidence))


def _target(view: LinearView, z: np.ndarray, pull: float) -> tuple[Any, float]:
    """Return a row's target by its derivative, and how well that is one of its kind."""
    eta = view.predictors(z[np.newaxis])
    if isinstance(view.loss, SquaredHinge):
        assert view.classes is not None
        sign = -np.sign(pull)
        expected = float(view.loss.first(eta, np.array([sign]))[0])
        gap = abs(expected - pull) / max(abs(pull), 1e-300)
        return view.classes[int(sign > 0)], max(0.0, 1.0 - gap)
    # The derivative is affine in the target.
    at_zero, at_one = (float(view.loss.first(eta, np.array([y]))[0]) for y in (0.0, 1.0))
    target = (at_zero - pull) / (at_zero - at_one)
    if view.classes is None:
        return target, 1.0
    code = int(target > 0.5)
    return view.classes[code], max(0.0, 1.0 - 2.0 * abs(target - code))
