"""Joint moments of a table and its targets: all that least squares needs to know of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from skunlearn._array_api import namespace, to_device, to_host
from skunlearn._kernels.column_moments import two_sum
from skunlearn._kernels.least_squares import remove_batch, remove_rows
from skunlearn._samples.device_table import DeviceTable
from skunlearn._samples.tables import dense, for_kernel, overwrite
from skunlearn._statistics.column_moments import UNIT_WEIGHTS, power_of_two_above

_BLOCK_BYTES = 1 << 20

# Rows whose mean is near enough to the mean of all to centre by at first.
_SAMPLE = 256
_PASSES = 3

# Up to here rank-one updates beat a matrix product.
_FEW = 32


@dataclass(slots=True)
class JointMoments:
    """Weight, mean and scatter of the columns of (X, y), and what bounds their rounding error.

    Parameters
    ----------
    weight : float
        Total weight of the rows.

    mean : ndarray of shape (n_columns,)
        Weighted mean of each column of X and then of y; zeros where moments are about zero.

    low : ndarray of shape (n_columns,)
        What of the mean does not fit into `mean`: without it a large mean would round away the
        steps that removals take.

    scatter : ndarray of shape (n_columns, n_columns)
        Weighted sum of products about the mean.

    peak : ndarray of shape (n_columns,)
        Powers of two above the largest diagonal of `scatter` since the moments were last computed
        from rows; the exact one would tell what the removed rows were.

    n_updates : int
        Removals since then. Peak and updates together bound the rounding error.
    """

    _float_residue: ClassVar[tuple[str, ...]] = ("mean", "low", "peak", "n_updates")

    weight: float
    mean: np.ndarray
    low: np.ndarray
    scatter: np.ndarray
    peak: np.ndarray
    n_updates: int

    @classmethod
    def from_rows(
        cls, X: Any, y: np.ndarray, weights: np.ndarray | None, rows: np.ndarray, centred: bool
    ) -> JointMoments:
        """Compute the moments of some rows block by block.

        One pass about the mean of a sample, and another where that was far from the mean of all.

        Parameters
        ----------
        X : ndarray, CSR array or DeviceTable of shape (n_slots, n_features)
            The table; float32 is summed in float64.

        y : ndarray of shape (n_slots, n_targets), dtype float64
            Targets.

        weights : ndarray of shape (n_slots,) or None
            None for unit weights.

        rows : ndarray of shape (n_rows,), dtype intp
            Which rows count.

        centred : bool
            About the mean, or about zero.
        """
        if sparse.issparse(X):
            return cls._from_sparse_rows(X, y, weights, rows, centred)
        n_columns = X.shape[1] + y.shape[1]
        spans = _spans(X, n_columns, rows)
        xp = np if isinstance(X, np.ndarray) else namespace(X.array)
        weight = float(rows.size if weights is None else weights[rows].sum())
        mean = np.zeros(n_columns)
        low = np.zeros(n_columns)
        if centred:
            sample = rows[:: max(1, rows.size // _SAMPLE)]
            mean = np.hstack([dense(X, sample), y[sample]], dtype=np.float64).mean(axis=0)
        for _ in range(_PASSES if centred else 1):
            scatter = np.zeros((n_columns, n_columns))
            total = np.zeros(n_columns)
            centre = mean if isinstance(X, np.ndarray) else X.send(mean)
            for span in spans:
                gap = _joint(X, y, span)
                w = None if weights is None else to_device(weights[span], gap)
                if centred:
                    gap -= centre
                    total += to_host(xp.sum(gap, axis=0) if w is None else w @ gap)
                if w is not None:
                    gap *= xp.sqrt(w)[:, None]
                scatter += to_host(gap.T @ gap)
            if centred:
                shift = total / weight
                scatter -= np.outer(total, shift)
                mean, low = two_sum.py_func(mean, shift)
                if (total * shift <= scatter.diagonal()).all():
                    break
        return cls(weight, mean, low, scatter, power_of_two_above(scatter.diagonal()), 0)

    @classmethod
    def _from_sparse_rows(
        cls, X: Any, y: np.ndarray, weights: np.ndarray | None, rows: np.ndarray, centred: bool
    ) -> JointMoments:
        part, target = X[rows].astype(np.float64), y[rows]
        w = np.ones(rows.size) if weights is None else weights[rows]
        weight = float(w.sum())
        mean = np.zeros(X.shape[1] + y.shape[1])
        if centred:
            # Without zeros a column may be far from zero, where squares round its spread away.
            full = np.bincount(part.indices, minlength=X.shape[1]) == rows.size
            mean[: X.shape[1]] = np.where(full, part.T @ w / weight, 0.0)
            mean[X.shape[1] :] = w @ target / weight
            part.data -= mean[part.indices]
        gap = target - mean[X.shape[1] :]
        weighted = part.multiply(w[:, None]).tocsr()
        cross = weighted.T @ gap
        square = (part.T @ weighted).toarray()
        scatter = np.block([[square, cross], [cross.T, gap.T @ (w[:, None] * gap)]])
        low = np.zeros(mean.size)
        if centred:
            total = np.concatenate([part.T @ w, w @ gap])
            scatter -= np.outer(total, total / weight)
            mean, low = two_sum.py_func(mean, total / weight)
        return cls(weight, mean, low, scatter, power_of_two_above(scatter.diagonal()), 0)

    def without(
        self, X: Any, y: np.ndarray, weights: np.ndarray | None, rows: np.ndarray, centred: bool
    ) -> JointMoments:
        """Take rows out, O(k d^2); `self` is not changed."""
        X, rows, y, weights = for_kernel(X, rows, y, weights)
        w = UNIT_WEIGHTS if weights is None else weights
        if rows.size <= _FEW:
            weight, mean, low, scatter = remove_rows(
                self.weight, self.mean, self.low, self.scatter, X, y, w, rows, centred
            )
        else:
            weight, mean, low, gap = remove_batch(
                self.weight, self.mean, self.low, X, y, w, rows, centred
            )
            scatter = self.scatter - gap.T @ gap
        return JointMoments(weight, mean, low, scatter, self.peak.copy(), self.n_updates + 1)

    def wipe(self) -> None:
        """Overwrite the moments, when others take their place."""
        self.weight = 0.0
        overwrite(self.mean, self.low, self.scatter, self.peak)


def _spans(X: Any, n_columns: int, rows: np.ndarray) -> list[Any]:
    """Divide rows into blocks, as slices where they are all there are."""
    if isinstance(X, DeviceTable):
        return list(X.spans(rows))
    step = max(1, _BLOCK_BYTES // (8 * n_columns))
    everything = rows.size == X.shape[0]
    return [
        slice(start, min(start + step, rows.size)) if everything else rows[start : start + step]
        for start in range(0, rows.size, step)
    ]


def _joint(X: Any, y: np.ndarray, span: Any) -> Any:
    """Return rows beside their targets, float64, where the rows are."""
    if isinstance(X, DeviceTable):
        return namespace(X.array).concat([X.block(span), X.send(y[span])], axis=1)
    return np.concatenate([X[span], y[span]], axis=1, dtype=np.float64)
