"""Losses of generalised linear models, summed where arrays of other libraries are.

Rows stay on their device; targets and weights are sent there once for all passes of a problem, and
what comes back is no longer than the parameters. Removed rows are gathered and leave on the host.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skunlearn._array_api import namespace, to_host
from skunlearn._samples.device_table import DeviceTable
from skunlearn.linear_model._glm.losses import GradientSums, SingleLoss, SoftmaxLoss


def single_loss(X: Any) -> type[SingleLoss]:
    """Return the class of losses with one predictor that is for rows of this kind."""
    return SingleLossOnDevice if isinstance(X, DeviceTable) else SingleLoss


def softmax_loss(X: Any) -> type[SoftmaxLoss]:
    """Return the class of multinomial losses that is for rows of this kind."""
    return SoftmaxLossOnDevice if isinstance(X, DeviceTable) else SoftmaxLoss


class _Columns:
    """Targets and weights of a problem on the device of its rows."""

    weights_of: Any
    _sent: Any = (None, None)

    def _send(self, X: DeviceTable, y: np.ndarray, weights: np.ndarray) -> tuple[Any, Any]:
        if self._sent[0] is not y or self._sent[1] is not weights:
            self._sent = y, weights, X.send(y), X.send(self.weights_of(y, weights))
        return self._sent[2:]


class SingleLossOnDevice(_Columns, SingleLoss):
    """:class:`SingleLoss` for rows in a :class:`DeviceTable`."""

    def _weighing(self, X: Any, theta: Any, w: Any) -> Any:
        eta = self.predictors(X, theta)
        xp = namespace(eta)
        return xp.where(w != 0.0, eta, xp.zeros_like(eta))

    @np.errstate(over="ignore", invalid="ignore")
    def gradient_sums(
        self,
        X: DeviceTable,
        y: np.ndarray,
        weights: np.ndarray,
        theta: np.ndarray,
        direction: np.ndarray | None = None,
    ) -> GradientSums:
        """Sum gradients in one pass; rows of weight zero do not count."""
        gradient, sums = np.zeros(theta.size), np.zeros(3)
        change = np.inf if direction is None else 0.0
        targets, factors = self._send(X, y, weights)
        here, there = X.send(theta), None if direction is None else X.send(direction)
        xp, bound = namespace(here), self.pointwise.most_curvature
        for span in X.spans():
            part, target, w = X.block(span), targets[span], factors[span]
            eta = self._weighing(part, here, w)
            derivatives = w * self.pointwise.first(eta, target)
            curvature = w * (self.pointwise.second(eta, target) if bound is None else bound)
            gradient[: X.shape[1]] += to_host(derivatives @ part)
            sums += to_host(
                xp.stack([xp.sum(derivatives), xp.sum(xp.abs(derivatives)), xp.sum(curvature)])
            )
            if there is not None:
                change = max(change, float(xp.max(xp.abs(self._weighing(part, there, w)))))
        if self.fit_intercept:
            gradient[-1] = sums[0]
        return GradientSums(gradient, float(sums[1]), float(sums[2]), change)

    @np.errstate(over="ignore", invalid="ignore")
    def value(self, X: DeviceTable, y: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> float:
        """Sum the loss."""
        targets, factors = self._send(X, y, weights)
        here = X.send(theta)
        total = 0.0
        for span in X.spans():
            eta = self._weighing(X.block(span), here, factors[span])
            total += float(factors[span] @ self.pointwise.values(eta, targets[span]))
        return total

    def hessian(
        self, X: DeviceTable, y: np.ndarray, weights: np.ndarray, theta: np.ndarray
    ) -> np.ndarray:
        """Sum curvatures, shape (n_params, n_params)."""
        targets, factors = self._send(X, y, weights)
        here = X.send(theta)

        def curvature(part: Any, span: slice) -> Any:
            w = factors[span]
            return w * self.pointwise.second(self._weighing(part, here, w), targets[span])

        return self._weighted_gram(X, curvature, theta.size)

    def gram(self, X: DeviceTable, y: np.ndarray, weights: np.ndarray, n_params: int) -> np.ndarray:
        """Sum ``w x x'``."""
        factors = self._send(X, y, weights)[1]
        return self._weighted_gram(X, lambda part, span: factors[span], n_params)

    def _weighted_gram(self, X: DeviceTable, factor: Any, n_params: int) -> np.ndarray:
        total = np.zeros((n_params, n_params))
        for span in X.spans():
            part = X.block(span)
            xp = namespace(part)
            root = xp.sqrt(factor(part, span))[:, None]
            part = part * root
            if self.fit_intercept:
                part = xp.concat([part, root], axis=1)
            total += to_host(part.T @ part)
        return total


class SoftmaxLossOnDevice(_Columns, SoftmaxLoss):
    """:class:`SoftmaxLoss` for rows in a :class:`DeviceTable`."""

    def _table(self, X: DeviceTable, theta: np.ndarray) -> Any:
        """Send parameters in the form that multiplies rows."""
        return X.send(theta.reshape(self.n_classes, -1).T.copy())

    def _rows(self, X: DeviceTable, span: slice) -> Any:
        """Return rows, with ones for the intercept."""
        part = X.block(span)
        if not self.fit_intercept:
            return part
        return namespace(part).concat([part, X.send(np.ones((part.shape[0], 1)))], axis=1)

    def gradient_sums(
        self,
        X: DeviceTable,
        y: np.ndarray,
        weights: np.ndarray,
        theta: np.ndarray,
        direction: np.ndarray | None = None,
    ) -> GradientSums:
        """Sum gradients in one pass; rows of weight zero do not count."""
        gradient, sums = np.zeros((theta.size // self.n_classes, self.n_classes)), np.zeros(2)
        change = np.inf if direction is None else 0.0
        targets, factors = self._send(X, y, weights)
        here, there = (
            self._table(X, theta),
            None if direction is None else self._table(X, direction),
        )
        classes = X.send(np.arange(self.n_classes, dtype=np.float64))
        xp = namespace(classes)
        for span in X.spans():
            part, w = self._rows(X, span), factors[span]
            chosen = xp.astype(targets[span][:, None] == classes, xp.float64)
            derivatives = w[:, None] * (self.pointwise.mean(part @ here) - chosen)
            gradient += to_host(part.T @ derivatives)
            sums += to_host(xp.stack([xp.sum(xp.abs(derivatives)), xp.sum(w)]))
            if there is not None:
                squares = xp.sum((part @ there) ** 2, axis=1)
                squares = xp.where(w != 0.0, squares, xp.zeros_like(squares))
                change = max(change, float(xp.max(squares)) ** 0.5)
        return GradientSums(gradient.T.ravel(), float(sums[0]), float(sums[1]), change)

    def value(self, X: DeviceTable, y: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> float:
        """Sum the loss."""
        targets, factors = self._send(X, y, weights)
        here = self._table(X, theta)
        classes = X.send(np.arange(self.n_classes, dtype=np.float64))
        xp = namespace(classes)
        total = 0.0
        for span in X.spans():
            eta = self._rows(X, span) @ here
            chosen = xp.astype(targets[span][:, None] == classes, xp.float64)
            loss = self.pointwise.values(eta, xp.sum(eta * chosen, axis=1))
            total += float(factors[span] @ loss)
        return total

    def hessian(
        self, X: DeviceTable, y: np.ndarray, weights: np.ndarray, theta: np.ndarray
    ) -> np.ndarray:
        """Sum curvatures, shape (n_params, n_params)."""
        n_each = theta.size // self.n_classes
        total = np.zeros((self.n_classes, n_each, self.n_classes, n_each))
        factors = self._send(X, y, weights)[1]
        here = self._table(X, theta)
        for span in X.spans():
            part, w = self._rows(X, span), factors[span]
            mean = self.pointwise.mean(part @ here)
            for a in range(self.n_classes):
                for b in range(a + 1):
                    curve = self.pointwise.second(w, mean, a, b)
                    square = to_host(part.T @ (curve[:, None] * part))
                    total[a, :, b] += square
                    if b < a:
                        total[b, :, a] += square.T
        return total.reshape(theta.size, theta.size)
