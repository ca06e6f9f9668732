"""What reaches a step of a composition while a request is under way, nothing of it in force yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skunlearn._unlearning.affine_map import AffineMap


class Source(NamedTuple):
    """Rows in front of an affine map that a request changes.

    Parameters
    ----------
    before, after : AffineMap
        The map as it was and as it will be.

    ids : callable
        Returns the ids of the rows, those to be removed included, in training order.

    rows : callable
        Takes positions among these rows, an ndarray of dtype intp, and returns a table of them.
    """

    before: AffineMap
    after: AffineMap
    ids: Callable[[], np.ndarray]
    rows: Callable[[np.ndarray], Any]


class StepInput:
    """The remaining rows of a request, as they will reach a step.

    Parameters
    ----------
    compute : callable
        Returns the rows, as estimators take them, and their ids. Called at most once, and only
        where a step has to be fitted anew.

    changed : bool, default=True
        Whether the rows differ from what the step was fitted on.

    source : Source, default=None
        What is in front of an affine map, if a change of the map is all that changed the rows.
    """

    def __init__(
        self,
        compute: Callable[[], tuple[Any, np.ndarray]],
        changed: bool = True,
        source: Source | None = None,
    ) -> None:
        self._compute = compute
        self._found: tuple[Any, np.ndarray] | None = None
        self.changed = changed
        self.source = source

    def get(self) -> tuple[Any, np.ndarray]:
        """Return the rows and their ids."""
        if self._found is None:
            self._found = self._compute()
        return self._found

    def through(self, function: Callable[[Any], Any], source: Source | None = None) -> StepInput:
        """Return the input that a function, which has not changed, makes of this one.

        Parameters
        ----------
        function : callable
            Takes and returns rows.

        source : Source, default=None
            What is in front of an affine map that the function is part of.
        """

        def compute() -> tuple[Any, np.ndarray]:
            rows, ids = self.get()
            return function(rows), ids

        return StepInput(compute, self.changed, source)
