"""Transformers side by side, whose outputs are stacked: what requests are for all of them."""

from __future__ import annotations

import copy
import functools
from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import sklearn
from scipy import sparse

from skunlearn._compat import num_samples, wrap_output
from skunlearn._locks import holding
from skunlearn._samples.ids import check_sample_ids
from skunlearn._samples.strings import narrowed
from skunlearn._samples.tables import like, native
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.commit import snapshot
from skunlearn._unlearning.cost import UNKNOWN
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.hand_over import HandOver
from skunlearn._unlearning.step_input import Source, StepInput
from skunlearn._validation import refuse_arrays
from skunlearn.base import Removal, UnlearnerMixin
from skunlearn.compose._composition import Composition
from skunlearn.compose._propagation import Propagation, forgets
from skunlearn.exceptions import NotUnlearnableError

# Attributes that scikit-learn's own compositions do not have.
_OURS = (
    *("_samples", "_seconds_per_row", "_sparse_parts", "_widths"),
    *("on_memory", "unlearning_report_"),
)


class StackedTransformers(Composition):
    """Transformers that take the same rows, or columns of them, and whose outputs are stacked.

    The store holds those columns that parts take in which hold none themselves: a stateless part
    can be asked again for what it made of a row.
    """

    _namesake_class: ClassVar[Any]  # scikit-learn's class of the same name
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
    def _held_for(self, name: str, positions: np.ndarray) -> Any:
        """Return what a part took in that does not hold its rows."""

    @abstractmethod
    def _width(self, name: str) -> int:
        """Return the number of columns that a part makes."""

    @abstractmethod
    def _stacked(self, outputs: list[Any], n_samples: int) -> Any:
        """Stack outputs as scikit-learn does."""

    @abstractmethod
    def _reshaped(
        self, rows: np.ndarray, step_inputs: dict[str, StepInput]
    ) -> tuple[dict[str, Any], bool]:
        """Return attributes that tell of the outputs, and whether their container changes.

        Parameters
        ----------
        rows : ndarray of dtype intp
            Slots that are removed.

        step_inputs : dict of StepInput
            What will come out of each part.
        """

    @abstractmethod
    def _takes(self, X: Any) -> bool:
        """Tell whether rows come in with the columns that `fit` saw."""

    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None, **params: Any) -> Self:
        """Fit all transformers, telling each that can unlearn who its rows are.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,), default=None
            Targets, for transformers that use them.

        sample_ids : array-like of shape (n_samples,) or 'row numbers', default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        **params : dict
            Parameters for the transformers, as in scikit-learn.

        Returns
        -------
        self : object
            The same object, fitted.
        """
        self.fit_transform(X, y, sample_ids=sample_ids, **params)
        return self

    @fit_task(prefer_skip_nested_validation=False)
    def fit_transform(self, X: Any, y: Any = None, *, sample_ids: Any = None, **params: Any) -> Any:
        """Fit all transformers and stack what they make of X.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,), default=None
            Targets, for transformers that use them.

        sample_ids : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        **params : dict
            As in :meth:`fit`.

        Returns
        -------
        X_tr : array-like or sparse matrix of shape (n_samples, n_transformed_features)
            Transformed rows.
        """
        refuse_arrays(self, X)
        n_samples = num_samples(X)
        ids = check_sample_ids(sample_ids, X, n_samples)
        if isinstance(y, np.ndarray):
            y = narrowed(y)  # what parts other than ours are given again at a request
        routed = sklearn.get_config()["enable_metadata_routing"]
        templates = self._templates()
        for_parts = ids.for_parts()
        forgetting = any(isinstance(template, UnlearnerMixin) for _, template in templates)
        if for_parts is not None and routed and forgetting:
            params = params | {"sample_ids": for_parts}
        others = [name for name, part in templates if not forgets(part)]
        if self.on_memory == "refit" and others and params.keys() - {"sample_ids"}:
            raise ValueError(
                f"on_memory='refit' fits {others} anew with each request and cannot replay fit "
                f"parameters; got {sorted(params)}."
            )
        with self._taking_over(HandOver(sample_ids=None if routed else for_parts)):
            outputs = self._namesake_class.fit_transform(self, X, y, **params)
        keeps_in = any(self._keeps_in(part) for _, part in self._parts())
        self._hold_rows(self._columns_held(X) if keeps_in else np.empty((n_samples, 0)), y, ids)
        return outputs

    def _with_ids(self, routed_params: Any) -> Any:
        """Add the ids to what scikit-learn is about to hand to the parts' `fit`."""
        ids = self._taken_over.sample_ids
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
        return holding(
            self._read_locks(), lambda: super(Composition, snapshot(self)).transform(X, **params)
        )

    def to_predictor(self) -> Any:
        """Return scikit-learn's own class for deployment.

        Returns
        -------
        predictor : sklearn.compose.ColumnTransformer or sklearn.pipeline.FeatureUnion
            Fitted, of predict-only transformers; holds no training row.
        """
        self._check_samples()
        view = snapshot(self)
        parts = [
            (name, part.to_predictor() if isinstance(part, UnlearnerMixin) else part)
            for name, part in view._parts()
        ]
        state = view.__dict__ | view._with_parts(parts)
        predictor: Any = object.__new__(self._namesake_class)
        predictor.__dict__.update(
            {name: copy.deepcopy(value) for name, value in state.items() if name not in _OURS}
        )
        return predictor

    def _carry(self, propagation: Propagation, incoming: StepInput | None) -> Removal:
        rows, parts = propagation.rows, self._parts()
        step_inputs = {}
        for name, part in parts:
            propagation.step_input = self._into(name, rows, incoming)
            propagation.go_through(name, part)
            step_inputs[name] = self._weighed(name, propagation.step_input)
        if not propagation.knows(step_inputs.values()):
            return propagation.removal({}, UNKNOWN)
        attributes = self._with_parts(propagation.steps) if propagation.replaces(parts) else {}
        shape, differs = self._reshaped(rows, step_inputs)
        attributes |= shape
        later = Removal(attributes, replacements=tuple(propagation.replacements))
        step_input = self._next_input(later, rows, step_inputs, differs or incoming is not None)
        return propagation.removal(attributes, step_input)

    def _follow_input(self, rows: np.ndarray, step_input: StepInput) -> Removal | None:
        takes = self._takes(step_input.get()[0])
        return self._carry(self._propagation(rows), step_input) if takes else None

    def _into(self, name: str, rows: np.ndarray, incoming: StepInput | None) -> StepInput:
        """Return what reaches a part."""
        if incoming is not None:
            return incoming.through(lambda X: self._columns_for(name, X))
        return self._unchanged(rows, lambda positions: self._held_for(name, positions))

    def _weighed(self, name: str, step_input: StepInput) -> StepInput:
        weight = self._weight(name)
        if weight is None:
            return step_input
        return step_input.through(lambda X: X * weight, step_input.source)

    def _weight(self, name: str) -> float | None:
        return (self.transformer_weights or {}).get(name)

    def _next_input(
        self, later: Removal, rows: np.ndarray, step_inputs: dict[str, StepInput], differs: bool
    ) -> StepInput:
        """Return what will come out, given the new state and what comes out of each part."""
        samples = self._samples

        def compute() -> tuple[Any, np.ndarray]:
            view = self._after(later)
            outputs = [step_input.get()[0] for step_input in step_inputs.values()]
            ids = samples.ids_of(samples.slots_without(rows))
            return wrap_output(view, view._stacked(outputs, ids.size)), ids

        parts = dict(self._parts())
        changed = [name for name, step_input in step_inputs.items() if step_input.changed]
        if not changed and not differs:
            return StepInput(compute, changed=False)
        follows = not differs and all(
            step_inputs[name].source is not None and _affine_by_column(parts[name]) is not None
            for name in changed
        )
        if not follows or not self._is_in_step():
            return StepInput(compute)
        maps = self._as_map(), self._after(later)._as_map()
        return StepInput(compute, source=Source(*maps, lambda: samples.ids, self._before_map))

    def _part_outputs(self, name: str, part: Any, positions: np.ndarray) -> Any:
        """Return what a part made of rows held."""
        if isinstance(part, UnlearnerMixin):
            outputs = part._outputs_at(positions)
        else:
            outputs = part.transform(self._held_for(name, positions))
        weight = self._weight(name)
        return outputs if weight is None else outputs * weight

    def _outputs_at(self, positions: np.ndarray) -> Any:
        view = snapshot(self)
        outputs = [view._part_outputs(name, part, positions) for name, part in view._parts()]
        return wrap_output(view, view._stacked(outputs, positions.size))

    def _as_map(self) -> AffineMap:
        """Return the map that is affine, column by column, where parts are, else the identity."""
        shifts, scales = [], []
        for name, part in self._parts():
            affine_map = self._map_of(name, part)
            width = self._width(name)
            shifts.append(np.zeros(width) if affine_map is None else affine_map.shift)
            scales.append(np.ones(width) if affine_map is None else affine_map.scale)
        return AffineMap(np.concatenate(shifts), np.concatenate(scales))

    def _map_of(self, name: str, part: Any) -> AffineMap | None:
        affine_map, weight = _affine_by_column(part), self._weight(name)
        if affine_map is None or weight == 0:
            return None
        return (
            affine_map if weight is None else AffineMap(affine_map.shift, affine_map.scale / weight)
        )

    def _before_map(self, positions: np.ndarray) -> Any:
        tables = []
        for name, part in self._parts():
            if self._map_of(name, part) is None:
                table = self._part_outputs(name, part, positions)
            else:
                table = part._before_map(positions)
            tables.append(table if sparse.issparse(table) else np.asarray(table))
        if any(map(sparse.issparse, tables)):
            return sparse.csr_array(sparse.hstack(tables, format="csr"))
        return np.hstack(tables)

    def _matches(self, X: Any) -> list[np.ndarray]:
        found = [
            part._matches(self._columns_for(name, X))
            for name, part in self._parts()
            if isinstance(part, UnlearnerMixin)
        ]
        if self._samples.X.shape[1]:
            found.append(super()._matches(X))
        if not found:
            raise NotUnlearnableError("No part of this composition holds training rows.")
        return [
            functools.reduce(np.intersect1d, positions) for positions in zip(*found, strict=True)
        ]

    def _as_stored(self, X: Any) -> Any:
        return like(self._samples.X, native(self._columns_held(X)))


def _affine_by_column(part: Any) -> AffineMap | None:
    affine_map = part._as_map() if isinstance(part, UnlearnerMixin) else None
    return None if affine_map is None or affine_map.axes is not None else affine_map
