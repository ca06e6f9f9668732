"""Warnings that a request gives its caller."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from skunlearn.exceptions import RowNumberWarning


def warn_of_row_numbers(estimator: Any) -> None:
    """Say that the ids in a request are taken for row numbers, and what to do about it."""
    warnings.warn(
        f"The ids of this {type(estimator).__name__} are row numbers: fit was given no sample_ids "
        "and saw no index, perhaps because a step in front of it dropped the index. A customer "
        "number would name the row of somebody else. Pass fit(..., sample_ids=...), in a pipeline "
        "of scikit-learn by the step's name (step__sample_ids=...), or "
        "sample_ids='row numbers' if they are meant.",
        RowNumberWarning,
        stacklevel=_levels_to_the_caller(),
    )


def _levels_to_the_caller() -> int:
    """Count the frames up to the first one that is neither ours nor scikit-learn's."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in ("skunlearn", "sklearn", "contextlib")
