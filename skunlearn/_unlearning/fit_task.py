"""What every `fit` does first and last: parameters are checked, callbacks hear, time is taken."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from skunlearn._compat import fit_context
from skunlearn._unlearning.stopwatch import Seconds, Stopwatch

Fit = TypeVar("Fit", bound=Callable[..., Any])


def fit_task(*, prefer_skip_nested_validation: bool, max_subtasks: int = 0) -> Callable[[Fit], Fit]:
    """Decorate a method that fits: check parameters, tell callbacks, and note how long it takes.

    A method that learns from its rows how many subtasks it has calls `_init_callback_context`
    itself, under scikit-learn's own `fit_context`.

    Parameters
    ----------
    prefer_skip_nested_validation : bool
        Whether estimators fitted inside need not check their parameters; False where the user
        passes such estimators or a metric.

    max_subtasks : int, default=0
        How many subtasks the method may announce.

    Returns
    -------
    decorator : callable
        Takes a method ``fit(self, X, y=None, ...)``, whatever it calls its first parameter.
    """

    def decorator(fit: Fit) -> Fit:
        first = list(inspect.signature(fit).parameters)[1]

        @functools.wraps(fit)
        def announced(self: Any, *args: Any, **kwargs: Any) -> Any:
            given = dict(zip((first, "y"), args, strict=False)) | kwargs
            task = {"estimator": self, "X": given.get(first), "y": given.get("y")}
            context = self._init_callback_context(max_subtasks=max_subtasks)
            context.call_on_fit_task_begin(**task)
            with Stopwatch() as watch:
                result = fit(self, *args, **kwargs)
            if "_samples" in self.__dict__:
                # A composition of steps that learn nothing can be fitted on no rows.
                n_rows = max(1, self._samples.n_samples)
                self._seconds_per_row = Seconds(watch.seconds / n_rows)
            context.call_on_fit_task_end(**task, reconstruction_attributes=dict)
            return result

        checked: Fit = fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)(
            announced
        )
        return checked

    return decorator
