"""How long a fit took: what a later one of as many rows will take."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Self

from numba.core.event import TimingListener, register, unregister

# numba holds this lock while it compiles a kernel or loads one that was compiled before.
_KERNELS = "numba:compiler_lock"


class Seconds(float):
    """A measured time. It says nothing about rows, so models are not compared by it."""


class Stopwatch:
    """Measures wall time, less what kernels took that were used for the first time.

    Attributes
    ----------
    seconds : float
        Once the context has been left.
    """

    seconds: float

    def __enter__(self) -> Self:
        self._kernels = TimingListener()
        register(_KERNELS, self._kernels)
        self._started = perf_counter()
        return self

    def __exit__(self, *error: Any) -> None:
        elapsed = perf_counter() - self._started
        unregister(_KERNELS, self._kernels)
        waited = self._kernels.duration if self._kernels.done else 0.0
        self.seconds = max(elapsed - waited, 0.0)
