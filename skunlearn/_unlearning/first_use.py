"""Saying so when kernels are compiled, which takes seconds the first time they are used."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core.event import Event, Listener, install_listener

from skunlearn._compat import callback_context

logger = logging.getLogger("skunlearn")

_MESSAGE = (
    "%s compiles its kernels, which takes some seconds once after installation; "
    "`python -m skunlearn warm-up` does it beforehand."
)


class _Announcer(Listener):
    """Hears of every compilation of numba, in any thread, and tells of the first one of ours."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.task: Any = None

    def on_start(self, event: Event) -> None:
        ours = event.data["dispatcher"].py_func.__module__.startswith("skunlearn.")
        if ours and self.task is None:
            logger.info(_MESSAGE, type(self.estimator).__name__)
            context = callback_context(self.estimator).subcontext(task_name="compile")
            self.task = context.call_on_fit_task_begin(estimator=self.estimator)

    def on_end(self, event: Event) -> None:
        """Not told: other kernels may follow."""

    def end(self) -> None:
        """Tell that all is compiled."""
        if self.task is not None:
            self.task.call_on_fit_task_end(estimator=self.estimator)


@contextmanager
def announcing_compilation(estimator: Any) -> Iterator[None]:
    """Tell the logger ``skunlearn``, and callbacks as a subtask, if anything is compiled meanwhile.

    Parameters
    ----------
    estimator : object
        Whose callbacks hear of it; their task must have room for a subtask.
    """
    announcer = _Announcer(estimator)
    with install_listener("numba:compile", announcer):
        yield
    announcer.end()
