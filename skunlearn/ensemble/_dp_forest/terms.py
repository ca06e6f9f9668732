"""What a private forest is bound to since `fit`, and what it takes for granted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ANY_REQUEST = (
    "one release compared with one of a model retrained with the same trees, whatever requests "
    "were chosen by; the object itself stays secret; budget_spent_ is what all releases say of a "
    "row"
)
FIXED_REQUESTS = (
    "the release in force compared with one of a model retrained with the same trees; requests "
    "not chosen by looking at it; the object itself stays secret; budget_spent_ is what all "
    "releases say of a row"
)

# How far floats may be off before they are rounded down to whole numbers.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Terms:
    """Parameters as they were at `fit`, to which account and trees are bound."""

    epsilon: float
    total_epsilon: float
    removal_epsilon: float
    n_trees: int
    n_per_row: int
    depth: int
    seed: int
    n_categories: np.ndarray
    may_miss: np.ndarray

    def n_releases(self, n_made: int) -> float:
        """Return how many more releases the budget covers after some were made."""
        left = self.total_epsilon - n_made * self.epsilon
        return float(np.floor(left / self.epsilon + ROUNDING))

    @property
    def n_pending(self) -> int:
        """How many removed rows a release may go on to cover."""
        return int(self.removal_epsilon / self.epsilon + ROUNDING)


def checked_bounds(bounds: Any, n_features: int) -> np.ndarray:
    """Bring declared bounds of columns into an array of shape (2, n_features)."""
    shape = (n_features,)
    try:
        low, high = (np.broadcast_to(np.asarray(bound, float), shape) for bound in bounds)
    except (TypeError, ValueError):
        raise ValueError(
            "bounds must be a pair (low, high), each a number or an array of shape "
            f"{shape}; got {bounds!r}."
        ) from None
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
        raise ValueError("bounds must be finite, and none of the lower above the upper one.")
    return np.array([low, high])
