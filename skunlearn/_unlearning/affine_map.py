"""Affine maps of rows: what a transformer in front of a linear model does to them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skunlearn._array_api import beside


class AffineMap(NamedTuple):
    """The map of a row x to ``(x - shift) / scale``, and then to ``axes @`` that.

    Parameters
    ----------
    shift, scale : ndarray of shape (n_columns,)

    axes : ndarray of shape (n_features, n_columns), default=None
        None for the identity.
    """

    shift: np.ndarray
    scale: np.ndarray
    axes: np.ndarray | None = None

    @property
    def n_features(self) -> int:
        """Number of columns that come out."""
        return len(self.shift if self.axes is None else self.axes)

    def of(self, X: Any) -> Any:
        """Map rows, in their dtype; a CSR array goes with a shift of zero."""
        if not sparse.issparse(X) or self.shift.any():
            X = X.toarray() if sparse.issparse(X) else X
            X = X - beside(self.shift, X)
        return self.steps(X)

    def steps(self, X: Any) -> Any:
        """Map differences of rows, in their dtype."""
        scale = beside(self.scale, X)
        mapped = X.multiply(1 / scale).tocsr() if sparse.issparse(X) else X / scale
        return mapped if self.axes is None else mapped @ beside(self.axes.T, X)

    def after(self, base: AffineMap) -> AffineMap:
        """Express the map in the coordinates into which another one without axes has mapped."""
        return AffineMap((self.shift - base.shift) / base.scale, self.scale / base.scale)

    def as_in(self, dtype: Any) -> AffineMap:
        """Return the map as it is with its numbers rounded to a dtype."""
        axes = None if self.axes is None else self.axes.astype(dtype).astype(np.float64)
        shift, scale = (part.astype(dtype).astype(np.float64) for part in self[:2])
        return AffineMap(shift, scale, axes)
