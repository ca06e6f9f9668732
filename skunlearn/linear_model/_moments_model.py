"""A linear model whose rows are held as joint moments: what comes before and after solving."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import affine, to_host
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.step import FollowsMap
from skunlearn._unlearning.step_input import Source, StepInput
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_weights, refuse_overflow, validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.linear_model._behind_map import find_near

# Relative float error above which moments are computed anew from the remaining rows.
TOLERANCE = 1e-9


class MomentsModel(FollowsMap, UnlearnerMixin, BaseEstimator, metaclass=ABCMeta):
    """A linear model of targets that follows from joint moments of rows and targets.

    Rows are held in the coordinates they came in; behind an affine transformer that forgets too, a
    pipeline puts the raw rows here and `_map`, the transformer's present map, in between, so that
    a change of the transformer costs no pass over the rows.
    """

    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE, pushes_affine=True)
    _overwritten: ClassVar[tuple[str, ...]] = ("_moments",)

    # Whether the weights of a y of shape (n_samples, 1) are one-dimensional, as in the namesake.
    _flattens_single_target: ClassVar[bool]

    fit_intercept: bool
    positive: bool

    @property
    def _float_residue(self) -> tuple[str, ...]:
        """Behind a transformer that has changed, rows are held as they came to it."""
        behind = self.__dict__.get("_map") is not None
        return ("_map", "_moments", "_samples") if behind else ()

    @abstractmethod
    def _refit(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        """Solve anew on the given rows, as retraining does."""

    @abstractmethod
    def _unlearn_mapped(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        """Solve without the given rows, behind a transformer of the given form."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, sample_ids: Any, **checks: Any) -> None:
        """Validate, hold the rows, solve."""
        sources = (X, y, sample_weight)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr" if self.__sklearn_tags__().input_tags.sparse else False,
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
        )
        weight = check_weights(self, sample_weight, X, ensure_non_negative=True, **checks)
        if weight is not None and not weight.sum() > 0.0:
            raise ValueError("The sum of sample_weight must be positive.")
        self._single = y.ndim == 1
        self._hold_samples(
            X,
            y.reshape(y.shape[0], -1).astype(np.float64),
            weight,
            sources=(sources[0], None, sources[2]),
            sample_ids=sample_ids,
        )
        self._map = None
        self.__dict__.update(self._refit(self._samples, self._samples.slots(), None).attributes)

    def _unlearn(self, rows: np.ndarray) -> Removal:
        return self._unlearn_mapped(self._samples, rows, self._map)

    def _removal(
        self,
        moments: Any,
        coef: np.ndarray,
        mean: np.ndarray,
        affine_map: Any,
        error: float,
        *,
        refitted: bool,
    ) -> Removal:
        intercept: Any = 0.0
        if self.fit_intercept:
            centre, target = mean[: -len(coef)], mean[-len(coef) :]
            if affine_map is not None:
                centre = affine_map.of(centre)
            intercept = target - coef @ centre
            if self._single:
                intercept = intercept[0]
        refuse_overflow(self, intercept if self.fit_intercept else coef)
        if self._samples.X.dtype == np.float32:
            coef = coef.astype(np.float32)
            intercept = intercept.astype(np.float32) if self.fit_intercept else 0.0
        flat = self._single or (self._flattens_single_target and len(coef) == 1)
        publish = self._samples.publish
        attributes = {
            "_moments": moments,
            "_map": affine_map,
            "coef_": publish(coef[0] if flat else coef),
            "intercept_": publish(intercept) if self.fit_intercept else 0.0,
        }
        guarantee = Guarantee("numerical", "state", TOLERANCE, error)
        return Removal(attributes, guarantee, int(refitted), n_passes=float(refitted))

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
            None where only a refit can follow: there is another number of features, or no intercept
            to take up a shift. The first time, also a store that holds the transformer's rows in
            place of the transformed ones, so that nothing is kept in the coordinates of a former
            transformer.
        """
        affine_map = source.after
        if not self._can_follow(affine_map):
            return None
        if self._map is not None:
            return self._unlearn_mapped(self._samples, rows, affine_map)
        raw = self._samples.with_rows(source.rows(np.arange(self._samples.n_samples)))
        removal = self._refit(raw, raw.slots_without(rows), affine_map)
        removal.attributes["_samples"] = raw
        return removal

    def _cost_behind(self, rows: np.ndarray, step_input: StepInput) -> Foretold | None:
        source = self._source_of(step_input)
        if source is None or not self._can_follow(source.after):
            return None
        if self._map is None:  # moments are summed anew, the first time
            return self._cost_of_fit(rows), None
        return super()._cost_behind(rows, step_input)

    def _can_follow(self, affine_map: AffineMap) -> bool:
        """Tell whether the intercept takes up the shift, and features are as many as before."""
        takes_up = self.fit_intercept or not affine_map.shift.any()
        return affine_map.n_features == self.n_features_in_ and takes_up

    def _fit_targets(self, rows: np.ndarray) -> np.ndarray:
        y = self._samples.y[rows]
        return self._samples.publish(y[:, 0] if self._single else y)

    def _as_stored_targets(self, y: Any) -> np.ndarray:
        y = np.asarray(to_host(y), dtype=np.float64)
        return y.reshape(len(y), -1)

    def find_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Find the ids of training rows that equal the given rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows to look for, as this estimator sees them.

        y : array-like of shape (n_queries,) or (n_queries, n_targets), default=None
            If given, targets must be equal as well.

        Returns
        -------
        sample_ids : ndarray of shape (n_found,)
            Distinct ids of the rows equal to any of the queries, in training order.
        """
        self._check_samples()
        if y is not None:
            y = self._as_stored_targets(y)
        return super().find_samples(X, y)

    def _find(self, X: Any, y: np.ndarray | None) -> np.ndarray:
        if self._map is None:
            return super()._find(X, y)
        return find_near(self._samples, self._map, X, y)

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted values.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc", "coo"], reset=False)
        return affine(X, self.coef_, self.intercept_)
