"""What Ridge, RidgeClassifier and RidgeCV share: an l2 penalty and scikit-learn's solvers."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy import linalg

from skunlearn._compat import Interval, StrOptions
from skunlearn.linear_model._least_squares import LeastSquares, nnls

_DIRECT = ("auto", "svd", "cholesky")


class BaseRidge(LeastSquares):
    """Linear least squares with an l2 penalty."""

    _flattens_single_target = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "solver": [
            StrOptions({*_DIRECT, "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}),
        ],
        "positive": ["boolean"],
        "random_state": ["random_state"],
    }

    alpha: Any
    solver: str

    def _check_solver(self) -> None:
        """Refuse the solvers that stop short of the solution, and those that do not fit."""
        if self.solver == "lbfgs" and not self.positive:
            raise ValueError(
                "'lbfgs' solver can be used only when positive=True. Please use another solver."
            )
        if self.positive and self.solver not in ("auto", "lbfgs"):
            raise ValueError(
                f"solver='{self.solver}' does not support positive fitting. Please set the solver "
                "to 'auto' or 'lbfgs', or set `positive=False`"
            )
        if not self.positive and self.solver not in _DIRECT:
            raise ValueError(
                f"solver='{self.solver}' stops short of the solution at a point that depends on "
                "more than the rows, so it cannot be unlearned from. Use solver='auto'."
            )

    def _name_solver(self) -> None:
        self.n_iter_ = None
        self.solver_ = "cholesky" if self.solver == "auto" else self.solver
        if self.positive:
            self.solver_ = "lbfgs"

    def _penalties(self, n_targets: int) -> list[float]:
        if isinstance(self.alpha, Real):
            return [float(self.alpha)] * n_targets
        penalties = np.ravel(np.asarray(self.alpha, dtype=np.float64)).tolist()
        if len(penalties) not in (1, n_targets):
            raise ValueError(
                "Number of targets and number of penalties do not correspond: "
                f"{len(penalties)} != {n_targets}"
            )
        return penalties * (n_targets // len(penalties))

    def _trusts(self, share: float, tolerance: float) -> bool:
        return tolerance > 1e-12

    def _solve_from_rows(self, X: np.ndarray, y: np.ndarray, penalties: list[float]) -> np.ndarray:
        coef = np.empty((y.shape[1], X.shape[1]))
        for target, penalty in enumerate(penalties):
            right = y[:, target]
            if self.positive:
                padded = np.vstack([X, np.sqrt(penalty) * np.eye(X.shape[1])])
                right = np.concatenate([right, np.zeros(X.shape[1])])
                coef[target] = nnls(padded, right)
            elif X.shape[0] <= X.shape[1] and penalty > 1e-12 * np.einsum("ij,ij", X, X):
                kernel = X @ X.T
                kernel.flat[:: kernel.shape[0] + 1] += penalty
                coef[target] = X.T @ linalg.solve(kernel, right, assume_a="pos")
            else:
                left, singular, axes = linalg.svd(X, full_matrices=False)
                kept = singular > (0.0 if penalty else 1e-15 * singular.max(initial=0.0))
                gain = np.zeros_like(singular)
                gain[kept] = 1.0 / (singular[kept] + penalty / singular[kept])
                coef[target] = (gain * (right @ left)) @ axes
        return coef

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.positive
        return tags
