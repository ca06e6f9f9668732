"""Pipelines that forget end to end."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import sklearn
import sklearn.pipeline
from sklearn.utils.metaestimators import available_if

from skunlearn._compat import StrOptions, num_samples
from skunlearn._samples.ids import check_sample_ids
from skunlearn._samples.strings import narrowed
from skunlearn._samples.tables import as_table, like, native
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.commit import snapshot
from skunlearn._unlearning.step_input import StepInput
from skunlearn._unlearning.stopwatch import Seconds, Stopwatch
from skunlearn.base import Removal, UnlearnerMixin
from skunlearn.compose._composition import Composition, on_snapshot
from skunlearn.compose._feature_union import FeatureUnion, make_union
from skunlearn.compose._propagation import Propagation, forgets

__all__ = ["FeatureUnion", "Pipeline", "make_pipeline", "make_union"]


class Pipeline(Composition, sklearn.pipeline.Pipeline):
    """A :class:`sklearn.pipeline.Pipeline` whose `unlearn` reaches every step.

    Preprocessing remembers rows too: a scaler in front of a model that has forgotten a row still
    publishes it through its mean. A request is resolved once and taken through the steps in order:

    1. a stateless step (tag ``requires_fit=False``) or a
       :class:`~sklearn.frozen.FrozenEstimator` passes, unchanged;
    2. a step that can unlearn does so;
    3. where that changed what the remaining rows look like, the next step is brought up to date: by
       algebra if it can (a scaler in front of a linear or generalised linear model, PCA in front of
       a linear one: no refit, and no pass over the rows but what the model itself takes),
       otherwise by fitting it on the rows as they look now;
    4. a step that remembers rows and cannot forget is an error, unless ``on_memory='refit'``.

    Nothing is in force before every step has succeeded; then everything is, at once.

    Parameters
    ----------
    steps : list of (str, estimator) tuples
        As in scikit-learn.

    transform_input : list of str, default=None
        As in scikit-learn.

    memory : None
        Must be None: a cache on disk would keep the forgotten rows.

    verbose : bool, default=False
        As in scikit-learn.

    on_memory : {'raise', 'refit'}, default='raise'
        What to do about a step that remembers rows and has no `unlearn`: raise, or fit a clone on
        the remaining rows. 'refit' keeps a copy of the training rows in the pipeline.

    Attributes
    ----------
    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request, with what each step did.

    See Also
    --------
    make_pipeline : Names the steps by their types.

    Notes
    -----
    ``pipe[-1].unlearn(ids)`` forgets in the last step only. The guarantee of the whole is the
    weakest of its parts.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.linear_model import Ridge
    >>> from skunlearn.pipeline import make_pipeline
    >>> from skunlearn.preprocessing import StandardScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, y, sample_ids="row numbers")
    >>> [(step.name, step.way) for step in pipe.unlearn([3, 14]).unlearning_report_.steps]
    [('standardscaler', 'unlearned'), ('ridge', 'pushed through')]
    """

    steps: list[tuple[str, Any]]
    _takes_arrays = True

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **sklearn.pipeline.Pipeline._parameter_constraints,
        "memory": [None],
        "on_memory": [StrOptions({"raise", "refit"})],
    }

    def __init__(
        self,
        steps: Any,
        *,
        transform_input: Any = None,
        memory: Any = None,
        verbose: bool = False,
        on_memory: str = "raise",
    ):
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.on_memory = on_memory

    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None, **params: Any) -> Pipeline:
        """Fit every step, telling each that can unlearn who its rows are.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.

        sample_ids : array-like of shape (n_samples,) or 'row numbers', default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        **params : dict
            Further parameters for the steps, as in scikit-learn (``step__parameter``).

        Returns
        -------
        self : object
            Fitted pipeline.
        """
        self._fit_by(super().fit, X, y, sample_ids, params)
        return self

    def _fit_by(
        self,
        method: Callable[..., Any],
        X: Any,
        y: Any,
        sample_ids: Any,
        params: dict[str, Any],
    ) -> Any:
        """Fit by one of scikit-learn's methods and return what it returns."""
        n_samples = num_samples(X)
        ids = check_sample_ids(sample_ids, X, n_samples)
        if isinstance(y, np.ndarray):
            y = narrowed(y)  # what parts other than ours are given again at a request
        unlearners = [name for name, step in self.steps if isinstance(step, UnlearnerMixin)]
        for name in unlearners:
            if f"{name}__sample_ids" in params:
                raise ValueError(
                    f"Pass sample_ids=... once, to the pipeline, not {name}__sample_ids=..."
                )
        for_parts = ids.for_parts()
        if for_parts is not None:
            if sklearn.get_config()["enable_metadata_routing"]:
                params["sample_ids"] = for_parts
            else:
                params |= {f"{name}__sample_ids": for_parts for name in unlearners}
        others = [name for name, step in self.steps if not forgets(step)]
        replays = self.on_memory == "refit" and bool(others)
        if replays and any(name.partition("__")[0] in others for name in params):
            raise ValueError(
                f"on_memory='refit' fits {others} anew with each request and cannot replay their "
                f"fit parameters; got {sorted(params)}."
            )
        with Stopwatch() as watch:
            result = method(X, y, **params)
        self._seconds_per_row = Seconds(watch.seconds / n_samples)
        keeps_rows = replays or not unlearners
        self._hold_rows(as_table(X) if keeps_rows else np.empty((n_samples, 0)), y, ids)
        return result

    @available_if(lambda self: hasattr(self, "transform"))
    def fit_transform(self, X: Any, y: Any = None, *, sample_ids: Any = None, **params: Any) -> Any:
        """Fit every step and transform X.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows.

        y : array-like, default=None
            Targets.

        sample_ids : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        **params : dict
            As in :meth:`fit`.

        Returns
        -------
        X_tr : array-like of shape (n_samples, n_transformed_features)
            Transformed rows.
        """
        return self._fit_by(super().fit_transform, X, y, sample_ids, params)

    @available_if(lambda self: hasattr(self._final_estimator, "fit_predict"))
    def fit_predict(self, X: Any, y: Any = None, *, sample_ids: Any = None, **params: Any) -> Any:
        """Fit every step and predict X.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows.

        y : array-like, default=None
            Targets.

        sample_ids : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        **params : dict
            As in :meth:`fit`.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predictions of the last step.
        """
        return self.fit(X, y, sample_ids=sample_ids, **params).predict(X)

    predict = on_snapshot(sklearn.pipeline.Pipeline, "predict")
    predict_proba = on_snapshot(sklearn.pipeline.Pipeline, "predict_proba")
    predict_log_proba = on_snapshot(sklearn.pipeline.Pipeline, "predict_log_proba")
    decision_function = on_snapshot(sklearn.pipeline.Pipeline, "decision_function")
    score_samples = on_snapshot(sklearn.pipeline.Pipeline, "score_samples")
    transform = on_snapshot(sklearn.pipeline.Pipeline, "transform")
    inverse_transform = on_snapshot(sklearn.pipeline.Pipeline, "inverse_transform")
    score = on_snapshot(sklearn.pipeline.Pipeline, "score")

    def _parts(self) -> list[tuple[str, Any]]:
        return self.steps

    def _with_parts(self, parts: list[tuple[str, Any]]) -> dict[str, Any]:
        return {"steps": parts}

    def _carry(self, propagation: Propagation, incoming: StepInput | None) -> Removal:
        if incoming is None:
            incoming = self._unchanged(propagation.rows, self._rows_in)
        propagation.step_input = incoming
        for name, step in self.steps:
            propagation.go_through(name, step)
        attributes = self._with_parts(propagation.steps) if propagation.replaces(self.steps) else {}
        return propagation.removal(attributes, propagation.step_input)

    def _rows_in(self, positions: np.ndarray) -> Any:
        """Return rows as they came in, by position, where no step holds them."""
        return native(super()._before_map(positions))

    def _last_holder(self) -> int | None:
        """Return the number of the last step that holds rows."""
        held = [at for at, (_, step) in enumerate(self.steps) if isinstance(step, UnlearnerMixin)]
        return held[-1] if held else None

    def _outputs_at(self, positions: np.ndarray) -> Any:
        last = self._last_holder()
        rows = (
            self._rows_in(positions) if last is None else self.steps[last][1]._outputs_at(positions)
        )
        for _, step in self.steps[0 if last is None else last + 1 :]:
            if step not in (None, "passthrough"):
                rows = step.transform(rows)
        return rows

    def _final_map_holder(self) -> UnlearnerMixin | None:
        """Return the step that makes the outputs, if it holds rows."""
        steps = [step for _, step in self.steps if step not in (None, "passthrough")]
        return steps[-1] if steps and isinstance(steps[-1], UnlearnerMixin) else None

    def _as_map(self) -> AffineMap | None:
        holder = self._final_map_holder()
        return None if holder is None else holder._as_map()

    def _before_map(self, positions: np.ndarray) -> Any:
        holder = self._final_map_holder()
        return super()._before_map(positions) if holder is None else holder._before_map(positions)

    def _matches(self, X: Any) -> list[np.ndarray]:
        for _, step in self.steps:
            if isinstance(step, UnlearnerMixin):
                return step._matches(X)
            if self._samples.X.shape[1]:
                break
            if step not in (None, "passthrough"):
                X = step.transform(X)
        return super()._matches(X)

    def _as_stored(self, X: Any) -> Any:
        return like(self._samples.X, X)

    def to_predictor(self) -> sklearn.pipeline.Pipeline:
        """Return scikit-learn's own pipeline for deployment.

        Returns
        -------
        predictor : sklearn.pipeline.Pipeline
            Fitted, of predict-only steps; holds no training row.
        """
        self._check_samples()
        return sklearn.pipeline.Pipeline(
            [
                (name, s.to_predictor() if isinstance(s, UnlearnerMixin) else copy.deepcopy(s))
                for name, s in snapshot(self).steps
            ],
            transform_input=self.transform_input,
            verbose=self.verbose,
        )


def make_pipeline(
    *steps: Any,
    transform_input: Any = None,
    memory: Any = None,
    verbose: bool = False,
    on_memory: str = "raise",
) -> Pipeline:
    """Build a :class:`Pipeline` whose steps are named by their types.

    Parameters
    ----------
    *steps : estimators
        The steps, in order.

    transform_input : list of str, default=None
        As in :class:`Pipeline`.

    memory : None
        As in :class:`Pipeline`.

    verbose : bool, default=False
        As in :class:`Pipeline`.

    on_memory : {'raise', 'refit'}, default='raise'
        As in :class:`Pipeline`.

    Returns
    -------
    pipeline : Pipeline
        Not fitted.

    Examples
    --------
    >>> from skunlearn.linear_model import Ridge
    >>> from skunlearn.pipeline import make_pipeline
    >>> from skunlearn.preprocessing import StandardScaler
    >>> list(make_pipeline(StandardScaler(), Ridge()).named_steps)
    ['standardscaler', 'ridge']
    """
    named = sklearn.pipeline.make_pipeline(*steps).steps
    return Pipeline(
        named,
        transform_input=transform_input,
        memory=memory,
        verbose=verbose,
        on_memory=on_memory,
    )
