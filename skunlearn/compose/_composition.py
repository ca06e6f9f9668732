"""What pipelines, column transformers and feature unions share: a model made of parts."""

from __future__ import annotations

import copy
import functools
import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any, Self

import numpy as np
from sklearn.utils.metaestimators import available_if

from skunlearn._array_api import to_host
from skunlearn._locks import holding
from skunlearn._samples.ids import SampleIds
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.commit import Replacement, snapshot
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.report import weakest
from skunlearn._unlearning.step_input import StepInput
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, UnlearningReport
from skunlearn.compose._foretelling import Foretelling
from skunlearn.compose._propagation import Propagation, forgets, passes_through
from skunlearn.exceptions import NotUnlearnableError


def on_snapshot(namesake: type, name: str) -> Any:
    """Make a method of scikit-learn's composition see one version of all parts."""
    method = getattr(namesake, name)

    @functools.wraps(method)
    def seen(self: Any, *args: Any, **kwargs: Any) -> Any:
        return holding(self._read_locks(), lambda: method(snapshot(self), *args, **kwargs))

    def offered(self: Any) -> bool:
        inspect.getattr_static(namesake, name).__get__(self, type(self))  # says why where it is not
        return True

    return available_if(offered)(seen)


class Composition(UnlearnerMixin, metaclass=ABCMeta):
    """A model whose parts forget, and which itself holds who the rows are.

    Its own store holds ids and targets, and of the rows only what no part holds.
    """

    _names_steps = True
    on_memory: str

    @abstractmethod
    def _parts(self) -> list[tuple[str, Any]]:
        """List the parts by name; before `fit`, what they will be fitted from."""

    @abstractmethod
    def _with_parts(self, parts: list[tuple[str, Any]]) -> dict[str, Any]:
        """Return the attributes that put other parts in the place of these."""

    @abstractmethod
    def _carry(self, propagation: Propagation, incoming: StepInput | None) -> Removal:
        """Take a request through the parts.

        Parameters
        ----------
        propagation : Propagation
            The request, before the first part.

        incoming : StepInput or None
            The rows that will be left, where they come in changed.
        """

    def _unlearn(self, rows: np.ndarray) -> Removal:
        return self._carry(self._propagation(rows), None)

    def _propagation(self, rows: np.ndarray) -> Propagation:
        return Propagation(self._samples, rows, self.on_memory == "refit")

    def _cost(self, rows: np.ndarray) -> Foretold:
        return self._cost_behind(rows, None)

    def _cost_behind(self, rows: np.ndarray, step_input: StepInput | None) -> Foretold:
        propagation = Foretelling(
            self._samples, rows, self.on_memory == "refit", self._seconds_of_others(rows)
        )
        removal = self._carry(propagation, step_input)
        return propagation.cost(removal), removal if propagation.is_known else None

    def _seconds_of_others(self, rows: np.ndarray) -> float:
        """Estimate how long one part takes to be fitted that does not know, without some rows."""
        n_remaining = self._samples.n_samples - rows.size
        known = [part._seconds_of_fit(n_remaining) for part in self._unlearners()]
        n_others = sum(not passes_through(part) for _, part in self._parts()) - len(known)
        n_others += int(np.isnan(known).sum())
        seconds = self._seconds_of_fit(n_remaining) - float(np.nansum(known))
        return max(seconds, 0.0) / max(n_others, 1)

    def _n_passes_of_fit(self) -> float:
        n_others = sum(not forgets(part) for _, part in self._parts())
        return n_others + sum(part._n_passes_of_fit() for part in self._unlearners())

    def _unchanged(self, rows: np.ndarray, rows_in: Callable[[np.ndarray], Any]) -> StepInput:
        """Return the input of remaining rows that come in as before, given what returns them."""
        samples = self._samples

        def compute() -> tuple[Any, np.ndarray]:
            positions = samples.positions_without(rows)
            return rows_in(positions), samples.ids_of(samples.slots()[positions])

        return StepInput(compute, changed=False)

    def _follow_input(self, rows: np.ndarray, step_input: StepInput) -> Removal | None:
        return self._carry(self._propagation(rows), step_input)

    def explain_unlearn(self, sample_ids: Any) -> UnlearningReport:
        """Work out a request without carrying it out, and tell which way each step would go.

        Parameters
        ----------
        sample_ids : id or array-like of shape (n_ids,)
            As for :meth:`unlearn`.

        Returns
        -------
        report : UnlearningReport
            What `unlearning_report_` would say, with the time that working it out took: about what
            the request will take. Nothing has changed. Where a step would be refitted,
            :meth:`unlearning_cost` is the quicker question.

        Raises
        ------
        UnknownSampleError, NotUnlearnableError, ValueError
            What :meth:`unlearn` would raise.
        """
        self._check_samples()

        def explain() -> UnlearningReport:
            started = perf_counter()
            n_ids, rows, removal = self._work_out(sample_ids, announce=False)
            return self._report(started, n_ids, rows.size, removal)

        return holding(self._locks(), explain)

    def _locks(self) -> list[AbstractContextManager[Any]]:
        return super()._locks() + [lock for part in self._unlearners() for lock in part._locks()]

    def _read_locks(self) -> list[AbstractContextManager[Any]]:
        return [lock for part in self._unlearners() for lock in part._read_locks()]

    def _unlearners(self) -> list[UnlearnerMixin]:
        return [part for _, part in self._parts() if isinstance(part, UnlearnerMixin)]

    def _is_in_step(self) -> bool:
        """Tell whether no part has forgotten rows on its own that the whole still holds."""
        return all(
            part._samples.n_samples == self._samples.n_samples
            and (not isinstance(part, Composition) or part._is_in_step())
            for part in self._unlearners()
        )

    def _hold_rows(self, table: Any, y: Any, ids: SampleIds) -> None:
        y = None if y is None else np.array(to_host(y))
        self._hold(SampleStore(table, y, None, ids))

    def _keeps_in(self, part: Any) -> bool:
        """Tell whether a request may need rows that this part takes in and does not hold."""
        if isinstance(part, UnlearnerMixin):
            return False
        return passes_through(part) or self.on_memory == "refit"

    def _snapshot_parts(self) -> None:
        self.__dict__.update(
            self._with_parts(
                [
                    (name, snapshot(part) if isinstance(part, UnlearnerMixin) else part)
                    for name, part in self._parts()
                ]
            )
        )

    def _after(self, removal: Removal) -> Any:
        view = super()._after(removal)
        parts = []
        was = dict(self._parts())
        for name, part in view._parts():
            old = was[name]
            if isinstance(old, UnlearnerMixin):
                part = old._after(Removal({}, replacements=removal.replacements))
            parts.append((name, part))
        view.__dict__.update(view._with_parts(parts))
        return view

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        parts = [part for _, part in self._parts()]
        others = [part for part in parts if not forgets(part)]
        if others and self.on_memory != "refit":
            return UnlearningTags("none")
        promises = [p._static_guarantee() for p in parts if isinstance(p, UnlearnerMixin)]
        if others:
            promises.append(Guarantee("distributional"))
        whole = weakest(promises)
        return UnlearningTags(whole.kind, whole.scope, whole.tolerance)

    def _equal_to(self, X: Any, y: np.ndarray | None) -> np.ndarray:
        samples = self._samples
        matches = self._matches(X)
        if y is not None and len(y) != len(matches):
            raise ValueError(f"X has {len(matches)} rows, but y has {len(y)}.")
        found = []
        for at, positions in enumerate(matches):
            slots = samples.slots()[positions]
            if y is not None and samples.y is not None:
                slots = slots[[bool(np.all(samples.y[slot] == y[at])) for slot in slots]]
            found.append(slots)
        return np.unique(np.concatenate(found))

    def _fit_arguments(self, rows: np.ndarray) -> dict[str, Any]:
        weighted = self._fitted_with_weights()
        if weighted:
            raise NotUnlearnableError(
                f"The steps {weighted} were fitted with sample_weight and have to be fitted anew "
                "on other columns than before, which cannot replay the weights. Nothing was "
                "changed."
            )
        return {"sample_ids": self._samples.ids_of(rows)}

    def _fitted_with_weights(self) -> list[str]:
        """Name the parts, and parts of parts, that hold weights."""
        names = []
        for name, part in self._parts():
            if isinstance(part, Composition):
                names += part._fitted_with_weights()
            elif isinstance(part, UnlearnerMixin) and part._samples.sample_weight is not None:
                names.append(name)
        return names

    def _adopt(self, fresh: Any) -> list[Replacement]:
        replacements = super()._adopt(fresh)
        held, parts = dict(self._parts()), []
        for name, new in fresh._parts():
            old = held.get(name)
            if isinstance(old, UnlearnerMixin):
                replacements += old._adopt(new)
                new = old
            parts.append((name, new))
        replacements[0].attributes.update(fresh._with_parts(parts))
        return replacements

    def get_metadata_routing(self) -> Any:
        """Get the metadata routing of this composition, which takes `sample_ids` itself.

        Returns
        -------
        routing : :class:`~sklearn.utils.metadata_routing.MetadataRouter`
            What the parts and the composition ask for.
        """
        return super().get_metadata_routing().add_self_request(self)

    def purge(self) -> Self:
        """Purge every part that can unlearn.

        Returns
        -------
        self : object
            The same model, without residues and empty slots.
        """
        super().purge()
        for part in self._unlearners():
            part.purge()
        return self

    def _copied(self) -> Self:
        twin = super()._copied()
        twin.__dict__.update(
            self._with_parts([(name, copy.copy(part)) for name, part in self._parts()])
        )
        return twin
