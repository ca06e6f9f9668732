"""What a composition asks of its steps, beyond the verb itself."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from skunlearn._samples.store import SampleStore
from skunlearn._samples.strings import narrowed
from skunlearn._samples.tables import named, take
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.commit import Removal, Replacement, snapshot
from skunlearn._unlearning.hand_over import NOTHING, HandOver
from skunlearn._unlearning.step_input import Source, StepInput


class Step:
    """Hooks by which a request goes through the steps of a pipeline.

    What is here serves most estimators. A transformer says more precisely what a request does to
    its outputs; a model that can follow a change in front of it by algebra says how.
    """

    _names_steps: ClassVar[bool] = False  # in the errors that it raises
    _handed: HandOver
    _samples: SampleStore

    def _after(self, removal: Removal) -> Any:
        """Return a view of the estimator as it will be once `removal` is in force."""
        view = snapshot(self)
        view.__dict__.update(removal.attributes)
        for replacement in removal.replacements:
            if replacement.estimator is self:
                view.__dict__.update(replacement.attributes)
        return view

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        """Tell whether rows come out of a transformer as before, bit for bit, after a removal.

        Parameters
        ----------
        after : view of the estimator
            As it will be, from :meth:`_after`.

        rows : ndarray of dtype intp
            The slots that are removed; the answer is about the other rows held.
        """
        return False

    def _adopt(self: Any, fresh: Any) -> list[Replacement]:
        """Return the replacements by which this object becomes a freshly fitted clone of it."""
        fresh._samples.lock = self._samples.lock
        fresh._samples.take_id_source(self._samples)
        state = fresh.__dict__ | self.get_params(deep=False)
        if "_skl_callbacks" in self.__dict__:
            state["_skl_callbacks"] = self.__dict__["_skl_callbacks"]
        return [Replacement(self, state, None)]

    def _handed_over(self) -> HandOver:
        """Return what stays, or saves work, when a clone is fitted in this one's place."""
        return HandOver(seed=self.__dict__.get("_seed"))

    def _fit_from(self: Any, handed: HandOver, X: Any, y: Any = None, **arguments: Any) -> Any:
        """Fit in the place of another model, and return the estimator."""
        with self._taking_over(handed):
            return self.fit(X, y, **arguments)

    @contextmanager
    def _taking_over(self, handed: HandOver) -> Iterator[None]:
        """Let `fit` find what is handed over; nothing of it stays."""
        former = self._taken_over
        self._handed = handed
        try:
            yield
        finally:
            if former is NOTHING:
                del self._handed
            else:
                self._handed = former

    @property
    def _taken_over(self) -> HandOver:
        """What was handed over to the `fit` that is under way."""
        return self.__dict__.get("_handed", NOTHING)

    def _outputs_at(self: Any, positions: np.ndarray) -> Any:
        """Return what `fit_transform` made of rows held, by their positions in training order."""
        names = getattr(self, "feature_names_in_", None)
        return self.transform(named(self._before_map(positions), names))

    def _as_map(self) -> AffineMap | None:
        """Return what `transform` does to the rows of `_before_map`, where that is affine."""
        return self._affine_map() if hasattr(self, "_affine_map") else None

    def _before_map(self, positions: np.ndarray) -> Any:
        """Return a table of rows held, by their positions in training order."""
        return take(self._samples.X, self._samples.slots()[positions])

    def _matches(self: Any, X: Any) -> list[np.ndarray]:
        """Return the positions, in training order, of the rows held that equal each query."""
        query, slots = self._as_stored(X), self._samples.slots()
        return [
            slots.searchsorted(self._find(take(query, np.array([at])), None))
            for at in range(query.shape[0])
        ]

    def _follow_input(self, rows: np.ndarray, step_input: StepInput) -> Removal | None:
        """Unlearn where what comes in has changed; None if only a refit can follow that.

        Parameters
        ----------
        rows : ndarray of dtype intp
            As for :meth:`_unlearn`, and possibly empty.

        step_input : StepInput
            The remaining rows, as they will come in.
        """
        return None

    def _fit_arguments(self, rows: np.ndarray) -> dict[str, Any]:
        """Return what `fit` takes beside X and y for the given slots."""
        samples = self._samples
        arguments = {"sample_ids": samples.ids_of(rows)}
        if samples.sample_weight is not None:
            arguments["sample_weight"] = samples.publish(samples.sample_weight[rows])
        return arguments

    def _fit_targets(self, rows: np.ndarray) -> Any:
        """Return targets of the given slots in the form in which `fit` takes them."""
        return self._samples.publish(narrowed(take(self._samples.y, rows)))


class FollowsMap(Step, metaclass=ABCMeta):
    """A step that can follow a change of an affine map in front of it by algebra.

    `_map` is the map by which it sees the rows it holds; None until it has followed one.
    """

    _map: Any

    def _follow_input(self: Any, rows: np.ndarray, step_input: StepInput) -> Removal | None:
        source = self._source_of(step_input)
        return None if source is None else self._push_affine(rows, source)

    def _source_of(self: Any, step_input: StepInput) -> Source | None:
        """Return what is in front of the map, where this step may follow it."""
        source = step_input.source
        if source is None or not self._unlearning_tags.pushes_affine:
            return None
        if self._map is None and not np.array_equal(self._samples.ids, source.ids()):
            return None
        return source

    @abstractmethod
    def _push_affine(self, rows: np.ndarray, source: Source) -> Removal | None:
        """Unlearn where an affine map in front changes; None if only a refit can follow."""
