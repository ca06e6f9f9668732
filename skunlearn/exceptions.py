"""Errors raised by `unlearn`, each also a built-in error, and warnings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "BudgetExhaustedError",
    "DistributionShiftWarning",
    "FewNegativesWarning",
    "NotUnlearnableError",
    "PrivacyLeakWarning",
    "RowNumberWarning",
    "UnknownSampleError",
]

_SHOWN = 10
_SAID = {
    "sample_ids": "Ids are those that fit was given as sample_ids.",
    "index": "Ids are those in the index of X.",
    "row numbers": "Ids are row numbers, as fit was given no sample_ids.",
}


class UnknownSampleError(KeyError):
    """A request names ids that the model does not hold.

    An id that was never in the training data and one that has been unlearned already look the
    same: the model keeps no list of what it forgot.

    Parameters
    ----------
    ids : iterable
        The ids that were not found.

    n_requested : int
        How many distinct ids the request named.

    id_source : {'sample_ids', 'index', 'row numbers'}, default='sample_ids'
        Where the model's ids come from.

    Attributes
    ----------
    n_unknown : int
        How many of the requested ids are not held.
    """

    def __init__(self, ids: Iterable[Any], n_requested: int, id_source: str = "sample_ids") -> None:
        unknown = list(ids)
        self.n_unknown = len(unknown)
        self.n_requested = n_requested
        self.id_source = id_source
        shown = ", ".join(repr(i) for i in unknown[:_SHOWN])
        if len(unknown) > _SHOWN:
            shown += ", ..."
        noun = "id is" if n_requested == 1 else "ids are"
        super().__init__(
            f"{self.n_unknown} of {n_requested} requested {noun} not in the model "
            f"(never fitted, or already unlearned): {shown}. Nothing was changed. "
            f"{_SAID[id_source]}"
        )

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        counts = (self.n_unknown, self.n_requested)
        return (_rebuild_unknown, (self.args[0], *counts, self.id_source))


def _rebuild_unknown(
    message: str, n_unknown: int, n_requested: int, id_source: str
) -> UnknownSampleError:
    error = UnknownSampleError.__new__(UnknownSampleError, message)
    error.args = (message,)
    error.n_unknown = n_unknown
    error.n_requested = n_requested
    error.id_source = id_source
    return error


class NotUnlearnableError(ValueError):
    """The request is understood, but no model that `fit` would accept can result from it.

    Raised when no rows would remain, when a class that `fit` needs would be gone, or when a part
    of the model remembers rows and has no way to forget them. The model is left as it was.
    """


class BudgetExhaustedError(ValueError):
    """The privacy budget of a certified estimator does not cover the request.

    The model is left as it was; refit it with fresh noise to serve further requests.
    """


class DistributionShiftWarning(UserWarning):
    """Members can be told from non-members without a model.

    What an attack finds may then be a difference between the rows.
    """


class FewNegativesWarning(UserWarning):
    """A false positive rate rests on fewer than ten negatives, which say little of it."""


class PrivacyLeakWarning(UserWarning):
    """Something that differential privacy takes for public was read from the rows.

    The privacy parameters do not cover it: declare it, from what is known without the rows.
    """


class RowNumberWarning(UserWarning):
    """A request named rows of a model whose ids are row numbers.

    Where a step in front of the model drops the index of a data frame, a customer number becomes
    the number of a row, and that may be the row of somebody else. Pass `sample_ids` to `fit`, or
    ``sample_ids="row numbers"`` where these are meant.
    """
