"""How what is kept to make requests fast follows a request, whatever interrupts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class CacheEdit:
    """A change of a cache in place, made once; where it is interrupted, the cache is dropped.

    Parameters
    ----------
    cache : object
        Its `wipe` overwrites what it holds, to be made anew when it is needed.

    change : callable
        Brings it up to date.
    """

    def __init__(self, cache: Any, change: Callable[[], None]) -> None:
        self._cache = cache
        self._change = change
        self._begun = False

    def __call__(self) -> None:
        if self._begun:
            self._cache.wipe()
        else:
            self._begun = True
            self._change()
