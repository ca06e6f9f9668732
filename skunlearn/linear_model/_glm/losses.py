"""Losses of generalised linear models, summed over the rows that a model holds.

A loss is a pure function of rows and parameters; it knows nothing of penalties, solvers or
estimators. Parameters of one linear predictor are its weights and then, with an intercept, the
intercept; several predictors (classes) follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._kernels.glm import take_out
from skunlearn._samples.centred_table import CentredTable
from skunlearn._samples.device_table import DeviceTable
from skunlearn._samples.tables import dense, for_kernel, take
from skunlearn.linear_model._glm.pointwise_losses import MultinomialLoss, PointwiseLoss

# Most rows of a block, and most bytes: a block that fits the cache is read from memory once.
BLOCK = 2048
_BLOCK_BYTES = 3 << 18

# Up to here rows are taken out one by one.
_FEW = 32
_NO_GRAM = np.empty((0, 0))


@dataclass(frozen=True)
class GradientSums:
    """Gradient of a loss, and what bounds its rounding: the sums of one pass over the rows.

    Parameters
    ----------
    gradient : ndarray of shape (n_params,)
        Sum of the rows' gradients.

    magnitude : float
        Sum over rows of ``w |phi'|``.

    curvature : float
        Sum over rows of ``w phi''``, or a bound of it.

    predictor_change : float
        Largest change of a row's predictor along the direction that was asked about; its Euclidean
        norm where there are several predictors. Infinite where none was asked about.

    squares : float
        Sum over rows of ``w phi'^2``.
    """

    gradient: np.ndarray
    magnitude: float
    curvature: float
    predictor_change: float = np.inf
    squares: float = np.inf


def block_size(X: Any) -> int:
    """Return how many rows of a table make a block."""
    if isinstance(X, CentredTable):
        return block_size(X.table)
    if sparse.issparse(X):
        return BLOCK
    if isinstance(X, DeviceTable):
        return X.block_size
    return min(BLOCK, max(64, _BLOCK_BYTES // (8 * X.shape[1])))


def n_terms(X: Any) -> float:
    """Return how many numbers sums within blocks, and then over blocks, add one by one."""
    size = min(block_size(X), X.shape[0])
    return size + X.shape[0] / size + 1


def blocks(X: Any) -> list[slice]:
    """Divide rows into blocks to pass over."""
    size, n_rows = block_size(X), X.shape[0]
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


class SingleLoss:
    """A loss with one linear predictor, summed over rows.

    Parameters
    ----------
    pointwise : PointwiseLoss
        The loss of a row.

    fit_intercept : bool
        Whether the parameters end with an intercept.

    class_weight : ndarray of shape (2,)
        Factors of the weights of rows with y = 0 and y = 1; ones where there are no classes.
    """

    def __init__(
        self, pointwise: PointwiseLoss, fit_intercept: bool, class_weight: np.ndarray
    ) -> None:
        self.pointwise = pointwise
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.concordance = pointwise.concordance

    def predictors(self, X: Any, theta: np.ndarray) -> np.ndarray:
        """Return linear predictors, shape (n_rows,)."""
        if not self.fit_intercept:
            return X @ theta
        eta = X @ theta[:-1]
        eta += theta[-1]
        return eta

    def _weighing(self, X: Any, theta: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return linear predictors, and zero for rows of weight zero, whose own may overflow."""
        return np.where(w != 0.0, self.predictors(X, theta), 0.0)

    def weights_of(self, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Multiply sample weights by class weights."""
        if (self.class_weight == 1.0).all():
            return weights
        return weights * self.class_weight[(y > 0.5).astype(np.intp)]

    @np.errstate(over="ignore", invalid="ignore")
    def gradient_sums(
        self,
        X: Any,
        y: np.ndarray,
        weights: np.ndarray,
        theta: np.ndarray,
        direction: np.ndarray | None = None,
    ) -> GradientSums:
        """Sum gradients in one pass; rows of weight zero do not count.

        With `direction`, also find how much predictors change when it is added to `theta`.
        """
        sums = self._gradient_sums(X, y, weights, theta, direction)
        if np.isfinite(sums.gradient).all():
            return sums
        # Zero times the derivative of a removed row is not zero where that overflows.
        kept = weights != 0.0
        return self._gradient_sums(X[kept], y[kept], weights[kept], theta, direction)

    def _gradient_sums(
        self,
        X: Any,
        y: np.ndarray,
        weights: np.ndarray,
        theta: np.ndarray,
        direction: np.ndarray | None,
    ) -> GradientSums:
        gradient = np.zeros(theta.size)
        derivatives = self.weights_of(y, weights)
        bound = self.pointwise.most_curvature
        curvature = 0.0 if bound is None else bound * float(derivatives.sum())
        derivatives = derivatives.copy() if derivatives is weights else derivatives
        change, squares = np.inf if direction is None else 0.0, 0.0
        n_features = X.shape[1]
        for span in blocks(X):
            part, target, here = X[span], y[span], derivatives[span]
            eta = self.predictors(part, theta)
            if direction is not None:
                change = max(change, float(np.abs(self._weighing(part, direction, here)).max()))
            if bound is None:
                curvature += float(here @ self.pointwise.second(eta, target))
            first = self.pointwise.first(eta, target)
            here *= first
            squares += float(here @ first)
            gradient[:n_features] += here @ part
        if self.fit_intercept:
            gradient[-1] = derivatives.sum()
        magnitude = float(np.abs(derivatives, out=derivatives).sum())
        return GradientSums(gradient, magnitude, curvature, change, squares)

    def value(self, X: Any, y: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> float:
        """Sum the loss."""
        w = self.weights_of(y, weights)
        total = 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for span in blocks(X):
                eta = self._weighing(X[span], theta, w[span])
                total += float(w[span] @ self.pointwise.values(eta, y[span]))
        return total

    def hessian(self, X: Any, y: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Sum curvatures, shape (n_params, n_params)."""

        def curvature(part: Any, span: slice) -> np.ndarray:
            w = self.weights_of(y[span], weights[span])
            return w * self.pointwise.second(self._weighing(part, theta, w), y[span])

        return self._weighted_gram(X, curvature, theta.size)

    def gram(self, X: Any, y: np.ndarray, weights: np.ndarray, n_params: int) -> np.ndarray:
        """Sum ``w x x'``."""
        return self._weighted_gram(
            X, lambda part, span: self.weights_of(y[span], weights[span]), n_params
        )

    def _weighted_gram(self, X: Any, factor: Any, n_params: int) -> np.ndarray:
        total = np.zeros((n_params, n_params))
        for span in blocks(X):
            part = X[span]
            root = np.sqrt(factor(part, span))
            if sparse.issparse(part):
                part = part.multiply(root[:, None]).tocsr()
                square = (part.T @ part).toarray()
                side = np.asarray(part.T @ root).ravel()
            else:
                part = part * root[:, None]
                square, side = part.T @ part, root @ part
            n_features = square.shape[0]
            total[:n_features, :n_features] += square
            if self.fit_intercept:
                total[-1, :-1] += side
                total[:-1, -1] += side
                total[-1, -1] += root @ root
        return total

    def take_out(
        self,
        samples: Any,
        rows: np.ndarray,
        hessian: np.ndarray,
        gram: np.ndarray | None,
        theta: np.ndarray,
        reference: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Take rows out of the curvature and the gram, and sum their gradients at `theta`."""
        hessian, gram, right_sides = self.take_apart(samples, rows, hessian, gram, theta, reference)
        return hessian, gram, right_sides[0]

    def take_apart(
        self,
        samples: Any,
        rows: np.ndarray,
        hessian: np.ndarray,
        gram: np.ndarray | None,
        theta: np.ndarray,
        reference: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Take rows out as `take_out` does, and show what they had of the curvature.

        Third comes an array of shape (1 + n_rows, n_params): the sum of the rows' gradients at
        `theta`, and then the rows times the root of their curvature.
        """
        X, y, weights = samples.X, samples.y, samples.sample_weight
        if rows.size > _FEW:
            part = dense(X, rows), y[rows], weights[rows]
            return self._take_many_apart(*part, hessian, gram, theta, reference)
        X, rows, y, weights = for_kernel(X, rows, y, weights)
        without = take_out(
            hessian,
            _NO_GRAM if gram is None else gram,
            X,
            y,
            weights,
            rows,
            theta,
            reference,
            self.pointwise.kind,
            self.pointwise.power,
            self.class_weight,
        )
        return without[0], None if gram is None else without[1], without[2]

    def _take_many_apart(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weights: np.ndarray,
        hessian: np.ndarray,
        gram: np.ndarray | None,
        theta: np.ndarray,
        reference: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Take rows out by matrix products, which beats the kernel where there are many."""
        w = self.weights_of(y, weights)
        now, then = self._weighing(X, theta, w), self._weighing(X, reference, w)
        x = np.ones((len(y), theta.size))
        x[:, : X.shape[1]] = X
        derivatives = w * self.pointwise.first(now, y)
        root = np.sqrt(w * self.pointwise.second(then, y))
        right_sides = np.concatenate([(derivatives @ x)[None], root[:, None] * x])
        if gram is not None:
            weighted = np.sqrt(w)[:, None] * x
            gram = gram - weighted.T @ weighted
        return hessian - right_sides[1:].T @ right_sides[1:], gram, right_sides


class SoftmaxLoss:
    """Multinomial logistic loss; targets are class numbers.

    Parameters
    ----------
    n_classes : int
        Number of linear predictors.

    fit_intercept : bool
        Whether each predictor's parameters end with an intercept.

    class_weight : ndarray of shape (n_classes,)
        Factors of the weights of rows of each class.
    """

    pointwise = MultinomialLoss
    concordance = MultinomialLoss.concordance

    def __init__(self, n_classes: int, fit_intercept: bool, class_weight: np.ndarray) -> None:
        self.n_classes = n_classes
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight

    def predictors(self, X: Any, theta: np.ndarray) -> np.ndarray:
        """Return linear predictors, shape (n_rows, n_classes)."""
        table = theta.reshape(self.n_classes, -1)
        if self.fit_intercept:
            return X @ table[:, :-1].T + table[:, -1]
        return X @ table.T

    def weights_of(self, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Multiply sample weights by class weights."""
        return weights * self.class_weight[y.astype(np.intp)]

    def gradient_sums(
        self,
        X: Any,
        y: np.ndarray,
        weights: np.ndarray,
        theta: np.ndarray,
        direction: np.ndarray | None = None,
    ) -> GradientSums:
        """Sum gradients in one pass; rows of weight zero do not count.

        With `direction`, also find how much predictors change when it is added to `theta`.
        """
        gradient = np.zeros((self.n_classes, theta.size // self.n_classes))
        magnitude = curvature = squares = 0.0
        change = np.inf if direction is None else 0.0
        n_features = X.shape[1]
        for span in blocks(X):
            part = X[span]
            derivatives = self.pointwise.mean(self.predictors(part, theta))
            derivatives[np.arange(derivatives.shape[0]), y[span].astype(np.intp)] -= 1.0
            w = self.weights_of(y[span], weights[span])
            if direction is not None:
                changes = np.linalg.norm(self.predictors(part, direction), axis=1)
                change = max(change, float(np.where(w != 0.0, changes, 0.0).max()))
            squares += float(w @ np.einsum("ik,ik->i", derivatives, derivatives))
            derivatives *= w[:, None]
            gradient[:, :n_features] += (part.T @ derivatives).T
            if self.fit_intercept:
                gradient[:, -1] += derivatives.sum(axis=0)
            magnitude += np.abs(derivatives).sum()
            curvature += w.sum()
        return GradientSums(gradient.ravel(), float(magnitude), float(curvature), change, squares)

    def value(self, X: Any, y: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> float:
        """Sum the loss."""
        total = 0.0
        for span in blocks(X):
            eta = self.predictors(X[span], theta)
            chosen = eta[np.arange(eta.shape[0]), y[span].astype(np.intp)]
            w = self.weights_of(y[span], weights[span])
            total += float(w @ self.pointwise.values(eta, chosen))
        return total

    def hessian(self, X: Any, y: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Sum curvatures, shape (n_params, n_params)."""
        n_each = theta.size // self.n_classes
        total = np.zeros((self.n_classes, n_each, self.n_classes, n_each))
        for span in blocks(X):
            part = X[span]
            mean = self.pointwise.mean(self.predictors(part, theta))
            w = self.weights_of(y[span], weights[span])
            part = part.toarray() if sparse.issparse(part) else np.asarray(part, dtype=np.float64)
            if self.fit_intercept:
                part = np.hstack([part, np.ones((part.shape[0], 1))])
            for a in range(self.n_classes):
                for b in range(a + 1):
                    curve = self.pointwise.second(w, mean, a, b)
                    total[a, :, b] += part.T @ (curve[:, None] * part)
        for a in range(self.n_classes):
            for b in range(a):
                total[b, :, a] = total[a, :, b].T
        return total.reshape(theta.size, theta.size)

    def take_out(
        self,
        samples: Any,
        rows: np.ndarray,
        hessian: np.ndarray,
        gram: np.ndarray | None,
        theta: np.ndarray,
        reference: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Take rows out of the curvature, and sum their gradients at `theta`."""
        part = dense(samples.X, rows), take(samples.y, rows), take(samples.sample_weight, rows)
        curvature = SoftmaxLoss.hessian(self, *part, reference)
        return hessian - curvature, gram, SoftmaxLoss.gradient_sums(self, *part, theta).gradient
