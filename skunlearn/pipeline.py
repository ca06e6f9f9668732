"""Pipelines that forget end to end."""

from __future__ import annotations

import copy
import functools
from contextlib import ExitStack
from typing import Any, ClassVar

import numpy as np
import sklearn
import sklearn.pipeline
from sklearn.utils.metaestimators import available_if

from skunlearn._arrays import to_host
from skunlearn._compat import StrOptions, num_samples
from skunlearn._ids import check_sample_ids
from skunlearn._passage import Passage, passes_through, weakest
from skunlearn._sample_store import SampleStore
from skunlearn._swap import Swap, snapshot
from skunlearn._tables import as_table
from skunlearn._tags import UnlearningTags
from skunlearn.base import Guarantee, Removal, Self, UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError

__all__ = ["Pipeline", "make_pipeline"]


def _on_snapshot(name: str) -> Any:
    """Make a predicting method of scikit-learn's Pipeline see one version of all steps."""
    stock = getattr(sklearn.pipeline.Pipeline, name)

    @functools.wraps(stock)
    def method(self: Pipeline, *args: Any, **kwargs: Any) -> Any:
        with self._read_lock():
            return stock(snapshot(self), *args, **kwargs)

    return available_if(lambda self: hasattr(super(Pipeline, self), name))(method)


class Pipeline(UnlearnerMixin, sklearn.pipeline.Pipeline):
    """A :class:`sklearn.pipeline.Pipeline` whose `unlearn` reaches every step.

    Preprocessing remembers rows too: a scaler in front of a model that has forgotten a row still
    publishes it through its mean. A request is resolved once and taken through the steps in order:

    1. a stateless step (tag ``requires_fit=False``) or a
       :class:`~sklearn.frozen.FrozenEstimator` passes, unchanged;
    2. a step that can unlearn does so;
    3. where that changed what the rows left look like, the next step is brought up to date: by
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
        the rows left. 'refit' keeps a copy of the training rows in the pipeline.

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
    >>> pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
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

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        **params : dict
            Further parameters for the steps, as in scikit-learn (``step__parameter``).

        Returns
        -------
        self : object
            Fitted pipeline.
        """
        n_samples = num_samples(X)
        ids = check_sample_ids(sample_ids, X, n_samples)
        unlearners = [name for name, step in self.steps if isinstance(step, UnlearnerMixin)]
        for name in unlearners:
            if f"{name}__sample_ids" in params:
                raise ValueError(
                    f"Pass sample_ids=... once, to the pipeline, not {name}__sample_ids=..."
                )
        if ids is not None:
            if sklearn.get_config()["enable_metadata_routing"]:
                params["sample_ids"] = ids
            else:
                params |= {f"{name}__sample_ids": ids for name in unlearners}
        others = [name for name, step in self.steps if not _forgets(step)]
        keeps_rows = self.on_memory == "refit" and bool(others)
        if keeps_rows and any(name.partition("__")[0] in others for name in params):
            raise ValueError(
                f"on_memory='refit' fits {others} anew with each request and cannot replay their "
                f"fit parameters; got {sorted(params)}."
            )
        super().fit(X, y, **params)
        rows = as_table(X) if keeps_rows else np.empty((n_samples, 0))
        self._hold(SampleStore(rows, None if y is None else np.array(to_host(y)), None, ids))
        return self

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
        return self.fit(X, y, sample_ids=sample_ids, **params).transform(X)

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

    predict = _on_snapshot("predict")
    predict_proba = _on_snapshot("predict_proba")
    predict_log_proba = _on_snapshot("predict_log_proba")
    decision_function = _on_snapshot("decision_function")
    score_samples = _on_snapshot("score_samples")
    transform = _on_snapshot("transform")
    inverse_transform = _on_snapshot("inverse_transform")
    score = _on_snapshot("score")

    def _unlearn_ids(self: Self, sample_ids: Any, *, announce: bool = False) -> Self:
        with ExitStack() as locks:
            for step in self._unlearners():
                locks.enter_context(step._check_samples().lock)
            return super()._unlearn_ids(sample_ids, announce=announce)

    def _unlearners(self) -> list[UnlearnerMixin]:
        return [step for _, step in self.steps if isinstance(step, UnlearnerMixin)]

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        passage = Passage(samples.ids_of(rows), samples, self.on_memory == "refit")
        for name, step in self.steps:
            passage.go_through(name, step)
        replaced = any(
            new is not old for (_, new), (_, old) in zip(passage.steps, self.steps, strict=True)
        )
        return Removal(
            {"steps": passage.steps} if replaced else {},
            weakest(passage.guarantees),
            sum(removal.n_refitted for removal in passage.removals),
            sum(removal.n_parts for removal in passage.removals),
            "part",
            tuple(passage.reports),
            tuple(passage.swaps),
        )

    def _read_lock(self) -> ExitStack:
        with ExitStack() as locks:
            for step in self._unlearners():
                locks.enter_context(step._read_lock())
            return locks.pop_all()

    def _snapshot_parts(self) -> None:
        self.steps = [
            (name, snapshot(step) if isinstance(step, UnlearnerMixin) else step)
            for name, step in self.steps
        ]

    def _after(self, removal: Removal) -> Pipeline:
        view = super()._after(removal)
        later = {id(swap.estimator): swap for swap in removal.swaps}
        view.steps = [
            (name, _view_of(later[id(step)]) if id(step) in later else step)
            for name, step in self.steps
        ]
        return view

    def _adopt(self, fresh: Pipeline) -> list[Swap]:
        swaps = super()._adopt(fresh)
        steps = []
        for (name, old), (_, new) in zip(self.steps, fresh.steps, strict=True):
            if isinstance(old, UnlearnerMixin):
                swaps += old._adopt(new)
            steps.append((name, old if isinstance(old, UnlearnerMixin) else new))
        swaps[0].attributes["steps"] = steps
        return swaps

    def _outputs_without(self, ids: np.ndarray) -> Any:
        rows = None
        for _, step in self.steps:
            if rows is not None and step not in (None, "passthrough"):
                rows = step.transform(rows)
            elif isinstance(step, UnlearnerMixin):
                rows = step._outputs_without(ids)
        return rows

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        if not all(_forgets(step) or self.on_memory == "refit" for _, step in self.steps):
            return UnlearningTags("none")
        parts = [s._static_guarantee() for _, s in self.steps if isinstance(s, UnlearnerMixin)]
        if not all(_forgets(step) for _, step in self.steps):
            parts.append(Guarantee("distributional"))
        whole = weakest(parts)
        return UnlearningTags(whole.kind, whole.scope, whole.tolerance)

    def find_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Find the ids of training rows that equal the given rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows as the pipeline takes them, compared as they reach the first step that holds rows.

        y : array-like of shape (n_queries,) or (n_queries, n_outputs), default=None
            If given, targets must be equal as well.

        Returns
        -------
        sample_ids : ndarray of shape (n_found,)
            Distinct ids of the rows equal to any of the queries, in training order.

        Raises
        ------
        NotUnlearnableError
            If no step holds rows.
        """
        samples = self._check_samples()
        with samples.lock:
            for _, step in snapshot(self).steps:
                if isinstance(step, UnlearnerMixin):
                    step._samples = step._check_samples().paired_with(samples.y)
                    return step.find_samples(X, y)
                if step not in (None, "passthrough"):
                    X = step.transform(X)
        raise NotUnlearnableError("No step of this pipeline holds training rows.")

    def purge(self) -> Pipeline:
        """Purge every step that can unlearn.

        Returns
        -------
        self : object
            The same pipeline, without residues and empty slots.
        """
        super().purge()
        for _, step in self.steps:
            if isinstance(step, UnlearnerMixin):
                step.purge()
        return self

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

    def __copy__(self) -> Pipeline:
        twin = super().__copy__()
        twin.steps = [(name, copy.copy(step)) for name, step in self.steps]
        return twin


def _forgets(step: Any) -> bool:
    return isinstance(step, UnlearnerMixin) or passes_through(step)


def _view_of(swap: Any) -> Any:
    view = snapshot(swap.estimator)
    view.__dict__.update(swap.attributes)
    return view


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
