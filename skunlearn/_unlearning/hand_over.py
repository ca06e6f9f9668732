"""What a model that is fitted in another one's place takes over from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class HandOver:
    """What `fit` is given beside its public arguments, by a caller that knows more than a user.

    Parameters
    ----------
    seed : int or bytes, default=None
        In the place of one drawn from `random_state`.

    start : ndarray of shape (n_params,), default=None
        Where an iteration starts.

    is_categorical : ndarray of shape (n_features,), dtype bool, default=None
        Which columns are categorical, where rows come `as_held`.

    as_held : bool, default=False
        Whether rows come as the other model holds them, so that `fit` need not look at columns.

    sample_ids : ndarray of shape (n_samples,) or "row numbers", default=None
        For compositions: ids for those parts that can unlearn, where metadata are not routed.
    """

    seed: Any = None
    start: np.ndarray | None = None
    is_categorical: np.ndarray | None = None
    as_held: bool = False
    sample_ids: Any = None


NOTHING = HandOver()
