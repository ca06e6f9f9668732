"""Transformers side by side, whose outputs are stacked: what requests are for all of them."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any

import numpy as np
import sklearn
from scipy import sparse

from skunlearn._affine import AffineMap
from skunlearn._compat import num_samples, wrap_output
from skunlearn._composition import Composition
from skunlearn._frames import FrameTable
from skunlearn._ids import check_sample_ids
from skunlearn._passage import Passage, forgets, weakest
from skunlearn._stream import Source, Stream
from skunlearn._swap import snapshot
from skunlearn._tables import native, take
from skunlearn._validation import refuse_arrays
from skunlearn.base import Removal, UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError

# Attributes that scikit-learn's own compositions do not have.
_OURS = ("_samples", "_sparse_parts", "_widths", "on_memory", "unlearning_report_")


class SideBySide(Composition):
    """Transformers that take the same rows, or columns of them, and whose outputs are stacked.

    The store holds those columns that parts take in which hold none themselves: a stateless part
    can be asked again for what it made of a row.
    """

    transformer_weights: dict[str, float] | None

    @abstractmethod
    def _templates(self) -> list[tuple[str, Any]]:
        """List by name what the parts are fitted from."""

    @abstractmethod
    def _columns_for(self, name: str, X: Any) -> Any:
        """Return what a part takes of rows as they come in."""

    @abstractmethod
    def _columns_held(self, X: Any) -> Any:
        """Return a table of the columns that the store is to hold."""

    @abstractmethod
    def _held_for(self, name: str, places: np.ndarray) -> Any:
        """Return what a part took in that does not hold its rows."""

    @abstractmethod
    def _width(self, name: str) -> int:
        """Return the number of columns that a part makes."""

    @abstractmethod
    def _stacked(self, outputs: list[Any], n_samples: int) -> Any:
        """Stack outputs as scikit-learn does."""

    @abstractmethod
    def _reshaped(
        self, view: Any, rows: np.ndarray, streams: dict[str, Stream]
    ) -> tuple[dict[str, Any], bool]:
        """Return attributes that tell of the outputs, and whether their container changes.

        Parameters
        ----------
        view : SideBySide
            The composition as it will be, these attributes excepted.

        rows : ndarray of dtype intp
            Slots that are removed.

        streams : dict of Stream
            What will come out of each part.
        """

    @abstractmethod
    def _takes(self, X: Any) -> bool:
        """Tell whether rows come in with the columns that `fit` saw."""

    def _fit_outputs(self, stock: Any, X: Any, y: Any, sample_ids: Any, params: Any) -> Any:
        """Fit all parts by scikit-learn's `fit_transform`, telling each who its rows are."""
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        refuse_arrays(self, X)
        n_samples = num_samples(X)
        ids = check_sample_ids(sample_ids, X, n_samples)
        routed = sklearn.get_config()["enable_metadata_routing"]
        templates = self._templates()
        if ids is not None and routed and any(isinstance(t, UnlearnerMixin) for _, t in templates):
            params = params | {"sample_ids": ids}
        others = [name for name, part in templates if not forgets(part)]
        if self.on_memory == "refit" and others and params.keys() - {"sample_ids"}:
            raise ValueError(
                f"on_memory='refit' fits {others} anew with each request and cannot replay fit "
                f"parameters; got {sorted(params)}."
            )
        self._ids_to_hand_on = None if routed else ids
        try:
            outputs = stock.fit_transform(self, X, y, **params)
        finally:
            del self._ids_to_hand_on
        keeps_in = any(self._keeps_in(part) for _, part in self._parts())
        self._hold_rows(self._columns_held(X) if keeps_in else np.empty((n_samples, 0)), y, ids)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return outputs

    def _with_ids(self, routed_params: Any) -> Any:
        """Add the ids to what scikit-learn is about to hand to the parts' `fit`."""
        ids = self.__dict__.get("_ids_to_hand_on")
        if ids is None:
            return routed_params
        handed = {}
        for name, part in self._templates():
            routed = routed_params.get(name)
            if routed is None:  # a part without columns, which older releases leave out
                continue
            arguments = dict(routed)
            if isinstance(part, UnlearnerMixin):
                for method in ("fit", "fit_transform"):
                    arguments[method] = {**arguments.get(method, {}), "sample_ids": ids}
            handed[name] = arguments
        return handed

    def transform(self, X: Any, **params: Any) -> Any:
        """Transform rows by every transformer and stack what comes out.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.

        **params : dict
            Parameters routed to the transformers, as in scikit-learn.

        Returns
        -------
        X_tr : array-like or sparse matrix of shape (n_samples, n_transformed_features)
            Transformed rows.
        """
        with self._read_lock():
            return super(Composition, snapshot(self)).transform(X, **params)

    def _as_stock(self, stock: type) -> Any:
        """Make scikit-learn's own composition of predict-only parts."""
        self._check_samples()
        view = snapshot(self)
        parts = [
            (name, part.to_predictor() if isinstance(part, UnlearnerMixin) else part)
            for name, part in view._parts()
        ]
        state = view.__dict__ | view._with_parts(parts)
        predictor: Any = object.__new__(stock)
        predictor.__dict__.update(
            {name: copy.deepcopy(value) for name, value in state.items() if name not in _OURS}
        )
        return predictor

    def _carry(self, rows: np.ndarray, stream: Stream) -> Removal:
        samples = self._samples
        passages = {}
        for name, part in self._parts():
            passage = Passage(
                samples, rows, self.on_memory == "refit", self._into(name, part, rows, stream)
            )
            passage.go_through(name, part)
            passages[name] = passage
        parts = [passage.steps[0] for passage in passages.values()]
        replaced = any(
            new is not old for (_, new), (_, old) in zip(parts, self._parts(), strict=True)
        )
        swaps = [swap for passage in passages.values() for swap in passage.swaps]
        streams = {name: self._weighed(name, passage.stream) for name, passage in passages.items()}
        attributes = self._with_parts(parts) if replaced else {}
        view = self._after(Removal(attributes, swaps=tuple(swaps)))
        shape, other_container = self._reshaped(view, rows, streams)
        view.__dict__.update(shape)
        removals = [r for passage in passages.values() for r in passage.removals]
        return Removal(
            attributes | shape,
            weakest([g for passage in passages.values() for g in passage.guarantees]),
            sum(removal.n_refitted for removal in removals),
            sum(removal.n_parts for removal in removals),
            "part",
            tuple(report for passage in passages.values() for report in passage.reports),
            tuple(swaps),
            self._stream_out(view, rows, streams, stream.changed or other_container),
        )

    def _follow_stream(self, rows: np.ndarray, stream: Stream) -> Removal | None:
        return self._carry(rows, stream) if self._takes(stream.get()[0]) else None

    def _into(self, name: str, part: Any, rows: np.ndarray, stream: Stream) -> Stream:
        """Return what reaches a part."""
        if stream.changed:
            return stream.through(lambda X: self._columns_for(name, X))
        samples = self._samples

        def compute() -> tuple[Any, np.ndarray]:
            places = samples.places_without(rows)
            return self._held_for(name, places), samples.ids_of(samples.slots()[places])

        return Stream(compute, changed=False)

    def _weighed(self, name: str, stream: Stream) -> Stream:
        weight = self._weight(name)
        if weight is None:
            return stream
        weighed = stream.through(lambda X: X * weight)
        weighed.source = stream.source
        return weighed

    def _weight(self, name: str) -> float | None:
        return (self.transformer_weights or {}).get(name)

    def _stream_out(
        self, view: Any, rows: np.ndarray, streams: dict[str, Stream], differs: bool
    ) -> Stream:
        samples = self._samples
        n_left = samples.n_samples - rows.size

        def compute() -> tuple[Any, np.ndarray]:
            outputs = [stream.get()[0] for stream in streams.values()]
            ids = samples.ids_of(samples.slots_without(rows))
            return wrap_output(view, view._stacked(outputs, n_left)), ids

        changed = [name for name, stream in streams.items() if stream.changed]
        if not changed and not differs:
            return Stream(compute, changed=False)
        parts = dict(self._parts())
        source = None
        if (
            not differs
            and self._is_in_step()
            and all(
                streams[name].source is not None and _affine_by_column(parts[name]) is not None
                for name in changed
            )
        ):
            source = Source(self._as_map(), view._as_map(), lambda: samples.ids, self._before_map)
        return Stream(compute, source=source)

    def _rows_in(self, places: np.ndarray) -> Any:
        raise NotImplementedError("What comes in is asked for part by part.")

    def _part_outputs(self, name: str, part: Any, places: np.ndarray) -> Any:
        """Return what a part made of rows held."""
        if isinstance(part, UnlearnerMixin):
            outputs = part._outputs_at(places)
        else:
            outputs = part.transform(self._held_for(name, places))
        weight = self._weight(name)
        return outputs if weight is None else outputs * weight

    def _outputs_at(self, places: np.ndarray) -> Any:
        view = snapshot(self)
        outputs = [view._part_outputs(name, part, places) for name, part in view._parts()]
        return wrap_output(view, view._stacked(outputs, places.size))

    def _as_map(self) -> AffineMap:
        """Return the map that is affine, column by column, where parts are, else the identity."""
        shifts, scales = [], []
        for name, part in self._parts():
            place = self._map_of(name, part)
            width = self._width(name)
            shifts.append(np.zeros(width) if place is None else place.shift)
            scales.append(np.ones(width) if place is None else place.scale)
        return AffineMap(np.concatenate(shifts), np.concatenate(scales))

    def _map_of(self, name: str, part: Any) -> AffineMap | None:
        place, weight = _affine_by_column(part), self._weight(name)
        if place is None or weight == 0:
            return None
        return place if weight is None else AffineMap(place.shift, place.scale / weight)

    def _before_map(self, places: np.ndarray) -> Any:
        tables = []
        for name, part in self._parts():
            if self._map_of(name, part) is None:
                table = self._part_outputs(name, part, places)
            else:
                table = part._before_map(places)
            tables.append(table if sparse.issparse(table) else np.asarray(table))
        if any(map(sparse.issparse, tables)):
            return sparse.csr_array(sparse.hstack(tables, format="csr"))
        return np.hstack(tables)

    def _matches(self, X: Any) -> list[np.ndarray]:
        found = None
        for name, part in self._parts():
            if isinstance(part, UnlearnerMixin):
                matches = part._matches(self._columns_for(name, X))
                found = (
                    matches
                    if found is None
                    else [np.intersect1d(a, b) for a, b in zip(found, matches, strict=True)]
                )
        held = self._samples.X
        if held.shape[1]:
            query = self._columns_held(X)
            query = held.like(native(query)) if isinstance(held, FrameTable) else query
            slots = self._samples.slots()
            matches = [
                slots.searchsorted(self._samples.find(take(query, np.array([at]))))
                for at in range(query.shape[0])
            ]
            found = (
                matches
                if found is None
                else [np.intersect1d(a, b) for a, b in zip(found, matches, strict=True)]
            )
        if found is None:
            raise NotUnlearnableError("No part of this composition holds training rows.")
        return found


def _affine_by_column(part: Any) -> AffineMap | None:
    place = part._as_map() if isinstance(part, UnlearnerMixin) else None
    return None if place is None or place.axes is not None else place
