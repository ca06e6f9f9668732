"""Scores of rows, in the order of the rows, with their ids."""

from __future__ import annotations

from typing import Any

import numpy as np


class Scores(np.ndarray):
    """An array of scores, one per row, that carries the rows' ids.

    It is an array like any other; parts of it keep the ids of their rows, and results of arithmetic
    have none.

    Attributes
    ----------
    sample_ids : ndarray of shape (n_rows,) or None
        Ids of the rows in the order of the scores.

    assumptions : tuple of str
        What was taken for granted to get them.
    """

    sample_ids: np.ndarray | None
    assumptions: tuple[str, ...]

    def __array_finalize__(self, source: Any) -> None:
        self.sample_ids = None
        self.assumptions = getattr(source, "assumptions", ())

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if isinstance(part, Scores) and part.ndim == 1 and self.sample_ids is not None:
            part.sample_ids = self.sample_ids[key]
        return part

    def __reduce__(self) -> Any:
        return scores_of, (np.asarray(self), self.sample_ids, self.assumptions)


def scores_of(
    values: np.ndarray, sample_ids: np.ndarray | None, assumptions: tuple[str, ...] = ()
) -> Scores:
    """Make scores of an array and ids."""
    scores = np.asarray(values, dtype=np.float64).view(Scores)
    scores.sample_ids, scores.assumptions = sample_ids, tuple(assumptions)
    return scores
