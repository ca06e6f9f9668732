"""How a generalised linear model follows a transformer in front of it, without being refitted."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any

import numpy as np

from skunlearn._samples.ids import SampleIds
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import dense, native, own
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.commit import Removal, snapshot
from skunlearn._unlearning.step import FollowsMap
from skunlearn._unlearning.step_input import Source
from skunlearn.base import UnlearnerMixin
from skunlearn.linear_model._behind_map import find_near
from skunlearn.linear_model._glm.certificate import hessian_error
from skunlearn.linear_model._glm.problem import Factor, Problem

# By what a transformer's shift and scale may have changed, in units of its former scale.
_FARTHEST_MAP = 8.0

# Relative rounding error at which a Hessian counts as singular.
_SINGULAR = 1e-3

# Rows that are looked at to tell whether a transformer made them.
_N_COMPARED = 64


class FollowsTransformer(FollowsMap, UnlearnerMixin, metaclass=ABCMeta):
    """A generalised linear model behind an affine transformer that forgets too.

    Rows and parameters stay in the coordinates in which the rows came, until `purge`: `_base` holds
    the transformer's shift and scale as they were then, and `_map` what they are now, seen from
    those coordinates. There a new scale is a new penalty, and a new shift a new intercept.
    Parameters are those of rows less `_origin`, where columns are far from zero.
    """

    fit_intercept: bool
    n_features_in_: int
    _base: np.ndarray | None
    _map: np.ndarray | None
    _origin: np.ndarray | None

    @abstractmethod
    def _problem(self, weights: np.ndarray) -> Problem:
        """State the problem on the rows held, weighted as given."""

    @abstractmethod
    def _is_wide(self) -> bool:
        """Tell whether the Hessian is too large to hold."""

    @abstractmethod
    def _counts_without(self, rows: np.ndarray) -> dict[str, Any] | None:
        """Return attributes that count rows, less the given ones; None if they force a refit."""

    @abstractmethod
    def _weights(self) -> np.ndarray:
        """Return the rows' weights, zero for those removed."""

    def _push_affine(self, rows: np.ndarray, source: Source) -> Removal | None:
        """Unlearn where an affine transformer in front changes.

        Parameters
        ----------
        rows : ndarray of dtype intp
            Slots to remove.

        source : Source
            The transformer's rows and the transformer before and after the removal.

        Returns
        -------
        removal : Removal or None
            None where only a refit can follow: for a map that is not column by column, a shift
            without an intercept to take it up, a scale so different that the rows would lose
            digits, a class that vanishes, a Hessian that is not held and may be singular, or rows
            that were not made by `before`.
        """
        view = self._behind(rows, source)
        if view is None:
            return None
        removal = view._unlearn(rows)
        if removal.replacements:  # it was fitted anew, but in the place of the view
            return None
        state = removal.attributes["_state"]
        if not state.penalty.any():
            # A column that has become constant has no weight of its own.
            problem = view._problem(self._weights())
            factor = Factor(problem.full(state.hessian))
            error = hessian_error(problem, state) * factor.inverse_norm
            if factor.empty.any() or not error < _SINGULAR:
                return None
        removal.attributes["_map"] = view._map
        if self._base is None:
            removal.attributes["_base"] = view._base
        return removal

    def _behind(self, rows: np.ndarray, source: Source) -> Any:
        """Return a view of the model behind the map as it will be; None if it cannot follow."""
        before, after = source.before, source.after
        if after.axes is not None:
            return None
        dtype = self._samples.X.dtype
        base = before.as_in(dtype) if self._base is None else AffineMap(*self._base)
        affine_map = after.as_in(dtype).after(base)
        if (
            (affine_map.shift.any() and not self.fit_intercept)
            or not (np.abs(affine_map.shift) <= _FARTHEST_MAP).all()
            or not (np.abs(np.log(affine_map.scale)) <= np.log(_FARTHEST_MAP)).all()
            or self._counts_without(rows) is None
            or (self._is_wide() and not self._problem(self._weights()).penalty.any())
            or (self._base is None and not self._came_from(source, base))
        ):
            return None
        view = snapshot(self)
        view._map = np.stack([affine_map.shift, affine_map.scale])
        if self._base is None:
            view._base = np.stack([base.shift, base.scale])
        return view

    @property
    def _input_map(self) -> AffineMap | None:
        """The transformer in front as a map of the coordinates in which rows are held."""
        return None if self._map is None else AffineMap(*self._map)

    def _came_from(self, source: Source, base: AffineMap) -> bool:
        """Tell from some rows whether the rows held are those of a transformer, mapped."""
        samples = self._samples
        some = np.arange(0, samples.n_samples, max(1, samples.n_samples // _N_COMPARED))
        held, raw = dense(samples.X, samples.slots()[some]), source.rows(some)
        raw = dense(raw, np.arange(some.size))
        tolerance = 1000 * np.finfo(held.dtype).eps
        return bool(np.allclose(held, base.of(raw), rtol=tolerance, atol=tolerance))

    def _in_input_coordinates(
        self, theta: np.ndarray, origin: np.ndarray | None = None
    ) -> np.ndarray:
        """Express parameters in the coordinates in which rows come now, less an origin there."""
        shift, scale = self._path_of_origin(origin), self._input_map
        if shift is None and scale is None:
            return theta
        table = theta.reshape(-1, self.n_features_in_ + self.fit_intercept).copy()
        weights = table[:, : self.n_features_in_]
        if shift is not None and self.fit_intercept:
            table[:, -1] += weights @ shift
        if scale is not None:
            weights *= scale.scale
        return table.ravel()

    def _path_of_origin(self, origin: np.ndarray | None = None) -> np.ndarray | None:
        """Return the way from this origin to one of input coordinates; None if there is none."""
        affine_map, path = self._input_map, origin
        if affine_map is not None:
            path = affine_map.shift if path is None else affine_map.shift + path * affine_map.scale
        if self._origin is None:
            return path
        return -self._origin if path is None else path - self._origin

    def _penalised(self, strength: float) -> np.ndarray:
        """Return the penalty of one predictor's parameters, the intercept's being zero."""
        penalty = np.full(self.n_features_in_ + self.fit_intercept, strength)
        affine_map = self._input_map
        if affine_map is not None:
            penalty[: self.n_features_in_] *= affine_map.scale**2
        if self.fit_intercept:
            penalty[-1] = 0.0
        return penalty

    def _find(self, X: Any, y: np.ndarray | None) -> np.ndarray:
        affine_map = self._input_map
        if affine_map is None:
            return super()._find(X, y)
        return find_near(self._samples, affine_map, X, y)

    def _mapped_samples(self, affine_map: AffineMap) -> SampleStore:
        """Return the remaining rows in the coordinates in which rows come now."""
        samples = self._samples
        slots = samples.slots()
        X, y, weight = samples.take(slots)
        X = own(affine_map.of(native(X)), None)
        mapped = SampleStore(X, y, weight, SampleIds(samples.ids_of(slots)))
        mapped.take_over(samples)
        return mapped
