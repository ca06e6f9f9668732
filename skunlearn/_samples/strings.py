"""Arrays of strings as narrow as their longest one: a width tells how long a removed one was."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np


def narrowed(values: Any) -> Any:
    """Return an array of fixed-width strings at the least width; anything else as it is.

    Parameters
    ----------
    values : ndarray or table of arrays or None

    Returns
    -------
    values : of the same kind
        The same array where there is nothing to narrow.
    """
    if hasattr(values, "arrays"):
        twin = copy.copy(values)
        twin.arrays = [narrowed(array) for array in values.arrays]
        return twin
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "US":
        return values
    width = max(1, int(np.char.str_len(values).max(initial=0)))
    dtype = np.dtype((values.dtype.type, width))
    return values if dtype == values.dtype else values.astype(dtype)
