"""The verb `unlearn`: one public template around one private hook per estimator."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import is_foreign, to_host
from skunlearn._compat import CallbackSupportMixin, callback_context, with_callbacks
from skunlearn._locks import holding
from skunlearn._samples.hashing import draw_seed
from skunlearn._samples.ids import as_keys, check_sample_ids
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import NO_ROWS, like, own
from skunlearn._unlearning.commit import (
    Removal,
    Replacement,
    commit,
    finish_interrupted,
    reads_one_version,
    snapshot,
)
from skunlearn._unlearning.cost import TellsCost, UnlearningCost
from skunlearn._unlearning.metadata_routing import register_verb
from skunlearn._unlearning.report import (
    ASSUMPTIONS,
    KINDS,
    SCOPES,
    Guarantee,
    StepReport,
    UnlearningReport,
    table_html,
)
from skunlearn._unlearning.step import Step
from skunlearn._unlearning.stopwatch import Seconds
from skunlearn._unlearning.tags import UnlearningTags, with_unlearning_tags
from skunlearn._unlearning.warning import warn_of_row_numbers
from skunlearn._validation import NotFinite, validate_data
from skunlearn.exceptions import NotUnlearnableError

__all__ = [
    "Guarantee",
    "Removal",
    "StepReport",
    "UnlearnerMixin",
    "UnlearningCost",
    "UnlearningReport",
    "reads_one_version",
]


register_verb()


class UnlearnerMixin(TellsCost, Step, CallbackSupportMixin):
    """Mixin that gives a scikit-learn estimator the verb `unlearn`.

    A subclass declares its promise in `_unlearning_tags`, calls `_hold_samples` in `fit`, and
    implements ``_unlearn(rows)``, which returns a :class:`Removal` and changes nothing. Private
    attributes that `_overwritten` names, arrays and objects with a method ``wipe``, are overwritten
    when a removal replaces them, so public ones are never views of
    them, and predicting methods read public ones only, under :func:`reads_one_version`; those that
    read the rows themselves also hold the lock of the rows (``_read_locks``). A hook that
    works in long parts says how many in ``_n_subtasks(rows)`` and opens a subcontext of
    ``skunlearn._compat.callback_context(self)`` for each. One whose removals are expensive says in
    ``_cost(rows)`` what one would take, without working it out.

    Notes
    -----
    The law every subclass keeps, for every set ``S`` of ids and every split of it into requests::

        fit(X, y, sample_ids=ids).unlearn(S)  ~  fit(X[~S], y[~S], sample_ids=ids[~S])

    where ``~`` is what ``get_unlearning_tags(estimator).kind`` says.

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn.linear_model import Ridge
    >>> X, y = np.array([[0.0], [1.0], [2.0], [9.0]]), np.array([0.0, 1.0, 2.0, -5.0])
    >>> model = Ridge(alpha=0.0).fit(X, y, sample_ids=["ann", "bob", "cem", "eve"])
    >>> model.unlearn("eve").predict([[3.0]]).round(6)
    array([3.])
    >>> model.sample_ids_.tolist()
    ['ann', 'bob', 'cem']
    """

    # An id is never anything else, so it goes to all that take one where metadata is routed.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"sample_ids": True}
    __metadata_request__unlearn: ClassVar[dict[str, bool]] = {"sample_ids": True}

    _takes_arrays: ClassVar[bool] = False  # of other libraries than NumPy
    # What tells of requests and is meant to: budgets, releases. A predictor has none of them.
    _accounts: ClassVar[tuple[str, ...]] = ()
    # What is overwritten when a request replaces it, beside what base classes name.
    _overwritten: ClassVar[tuple[str, ...]] = ("_samples",)
    _samples: SampleStore
    unlearning_report_: UnlearningReport

    def _hold_samples(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        sources: tuple[Any, Any, Any],
        sample_ids: Any = None,
    ) -> None:
        """Keep copies of validated rows; `sources` are X, y and weights as the user passed them."""
        ids = check_sample_ids(sample_ids, sources[0], X.shape[0])
        X, y, sample_weight = map(own, (X, y, sample_weight), sources)
        self._hold(SampleStore(X, y, sample_weight, ids))

    def _hold(self, samples: SampleStore) -> None:
        """Start a new life with these rows."""
        self.__dict__.pop("unlearning_report_", None)
        self._samples = samples

    def _unlearn(self, rows: np.ndarray) -> Removal:
        """Work out the model without the given rows; must not change `self`.

        Parameters
        ----------
        rows : ndarray of dtype intp
            Sorted positions in ``self._samples``; never empty, never all rows.

        Returns
        -------
        removal : Removal
        """
        # Not abstract: a mixin with a metaclass of its own would clash with those of other classes.
        raise NotImplementedError(f"{type(self).__name__} does not implement _unlearn.")

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        """What the estimator promises; a subclass may also put it in a class attribute."""
        return UnlearningTags("none")

    def _static_guarantee(self) -> Guarantee:
        tags = self._unlearning_tags
        return Guarantee(tags.kind, tags.scope, tags.tolerance)

    def _guarantee_of_fit(self) -> Guarantee:
        """Return what a model promises that was fitted anew for a request."""
        return self._static_guarantee()

    def _assumptions(self) -> str | None:
        """Return what the promise takes for granted, where the kind does not say it."""
        return None

    def _choose_seed(self, random_state: Any) -> int:
        """Draw the seed of a fit, unless one is handed over."""
        seed = self._taken_over.seed
        return draw_seed(random_state) if seed is None else seed

    def _read_locks(self) -> list[AbstractContextManager[Any]]:
        """Return what predicting methods hold meanwhile; only those that read rows need a lock."""
        return []

    def _snapshot_parts(self) -> None:
        """Replace estimators among the attributes of a snapshot by snapshots of their own."""

    def _purge(self) -> dict[str, Any]:
        """Return attributes free of any residue; most estimators have none."""
        return {}

    def _check_samples(self) -> SampleStore:
        finish_interrupted()
        samples = self.__dict__.get("_samples")
        if samples is None:
            check_is_fitted(self)
            raise NotUnlearnableError(
                f"This {type(self).__name__} holds no training rows (it was made by "
                "to_predictor() or sliced from a pipeline). Unlearn in the full model."
            )
        return samples

    @property
    def sample_ids_(self) -> np.ndarray:
        """Ids of the training rows still held, in training order, shape (n_samples,)."""
        finish_interrupted()
        samples = self.__dict__.get("_samples")
        if samples is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'sample_ids_'")
        with samples.lock:
            return samples.ids

    def unlearn(self, sample_ids: Any) -> Self:
        """Forget every training row that bears one of the given ids.

        Afterwards the model is what `fit` would have made of the other rows, in the sense that
        ``get_unlearning_tags(self).kind`` names, and holds nothing of the removed ones. Either the
        whole request is carried out or the model stays exactly as it was. The outcome is described
        in `unlearning_report_`.

        Parameters
        ----------
        sample_ids : id or array-like of shape (n_ids,)
            Ids given to `fit` as `sample_ids`, from the index of a pandas X, or row numbers where
            neither was there (see :ref:`where_ids_come_from`). Repeats collapse; an empty request
            does nothing.

        Returns
        -------
        self : object
            The model without those rows.

        Raises
        ------
        UnknownSampleError
            If an id is not in the model: never fitted, or unlearned already.
        NotUnlearnableError
            If `fit` would refuse what is left.
        ValueError
            If the request is not a one-dimensional collection of ids.
        RowNumberWarning
            The first time, where ids are row numbers and `fit` was not told that they are meant.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        self._check_samples()
        announced = "_skl_callbacks" in self.__dict__
        request = self._unlearn_with_callbacks if announced else self._unlearn_ids
        return holding(self._locks(), request, sample_ids)

    @with_callbacks
    def _unlearn_with_callbacks(self, sample_ids: Any) -> Self:
        self._unlearn_ids(sample_ids, announce=True)
        callback_context(self).call_on_fit_task_end(estimator=self)
        return self

    def _n_subtasks(self, rows: np.ndarray) -> int:
        """Count the subtasks that `_unlearn(rows)` will announce to callbacks."""
        return 0

    def _unlearn_ids(self, sample_ids: Any, *, announce: bool = False) -> Self:
        started = perf_counter()
        self._samples.make_writable()
        n_ids, rows, removal = self._work_out(sample_ids, announce)
        report = self._report(started, n_ids, rows.size, removal)
        attributes = removal.attributes | {"unlearning_report_": report}
        commit([*removal.replacements, Replacement(self, attributes, rows)])
        return self

    def _work_out(self, sample_ids: Any, announce: bool) -> tuple[int, np.ndarray, Removal]:
        """Work out a request: how many ids it names, which rows go, the model without them."""
        samples = self._samples
        n_ids, rows = self._resolve(sample_ids)
        if not rows.size:
            return n_ids, rows, Removal({})
        if samples.ids_are_doubtful and not samples.has_warned:
            warn_of_row_numbers(self)
            samples.has_warned = True
        if announce:
            self._init_callback_context(
                task_name="unlearn", max_subtasks=self._n_subtasks(rows)
            ).call_on_fit_task_begin(estimator=self)
        try:
            return n_ids, rows, self._unlearn(rows)
        except NotFinite as error:
            raise NotUnlearnableError(f"{error} Nothing was changed.") from error

    def _resolve(self, sample_ids: Any) -> tuple[int, np.ndarray]:
        """Find how many ids a request names, and which rows go."""
        n_ids, rows = self._samples.resolve(sample_ids)
        if rows.size == self._samples.n_samples:
            raise NotUnlearnableError(
                f"The request names all {rows.size} training rows; no {type(self).__name__} "
                "can be fitted on none. Delete the model instead."
            )
        return n_ids, rows

    def _report(
        self, started: float, n_ids: int, n_removed: int, removal: Removal
    ) -> UnlearningReport:
        samples = self._samples
        return UnlearningReport(
            type(self).__name__,
            n_ids,
            n_removed,
            samples.n_samples - n_removed,
            perf_counter() - started,
            removal.guarantee or self._static_guarantee(),
            removal.n_refitted,
            removal.n_parts,
            removal.part,
            removal.steps,
            samples.id_source,
        )

    def find_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Find the ids of training rows that equal the given rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows to look for, compared as `fit` stored them (dtype included); NaN equals NaN.

        y : array-like of shape (n_queries,) or (n_queries, n_outputs), default=None
            If given, targets must be equal as well.

        Returns
        -------
        sample_ids : ndarray of shape (n_found,)
            Distinct ids of the rows equal to any of the queries, in training order.
        """
        samples = self._check_samples()
        y = None if y is None else np.asarray(to_host(y))
        ids = holding(self._locks(), lambda: samples.ids_of(self._equal_to(X, y)))
        first = {key: position for position, key in reversed(list(enumerate(as_keys(ids))))}
        return ids[sorted(first.values())]

    def _equal_to(self, X: Any, y: np.ndarray | None) -> np.ndarray:
        """Return the slots of the rows equal to any of the rows as users pass them."""
        query = self._as_stored(X)
        if y is not None and len(y) != query.shape[0]:
            raise ValueError(f"X has {query.shape[0]} rows, but y has {len(y)}.")
        return self._find(query, y)

    def _find(self, X: Any, y: np.ndarray | None) -> np.ndarray:
        """Return the slots of the rows equal to any of the queries."""
        return self._samples.find(X, y)

    def _as_stored(self, X: Any) -> Any:
        """Validate queries and bring them into the form in which rows are held."""
        stored = self._samples.X
        X = validate_data(
            self,
            X,
            reset=False,
            accept_sparse="csr",
            dtype="numeric" if stored.dtype.kind in "iub" else stored.dtype,
            ensure_all_finite=False,
        )
        return like(stored, X)

    def purge(self) -> Self:
        """Remove every documented residue and every empty slot from the stored state.

        Only needed where ``get_unlearning_tags(self).scope`` or the last report's guarantee says
        'output', or to return memory; predictions do not change.

        Returns
        -------
        self : object
            The same model, without residues and empty slots.
        """
        with self._check_samples().lock:
            commit([Replacement(self, self._purge(), NO_ROWS)])
            self._samples.compact()
        return self

    def to_predictor(self) -> Any:
        """Return a predict-only estimator without ids and rows of training, for deployment.

        Returns
        -------
        predictor : estimator
            Fitted, of scikit-learn's own class where one exists; otherwise a copy of this
            estimator without its rows, whose `unlearn` raises `NotUnlearnableError`. A model that
            predicts with its rows, as a kernel machine does, hands on those it predicts with.
        """
        return self._as_namesake(type(self))

    def _as_namesake(self, cls: type) -> Any:
        """Make an instance of `cls` with copies of this estimator's public attributes.

        What is an array of another library than NumPy becomes one of NumPy's.
        """
        self._check_samples()
        view = snapshot(self)
        predictor: Any = object.__new__(cls)
        predictor.__dict__.update(
            {
                name: to_host(value)[()] if is_foreign(value) else copy.deepcopy(value)
                for name, value in view.__dict__.items()
                if name[0] != "_" and name not in {"unlearning_report_", *self._accounts}
            }
        )
        return predictor

    def _locks(self) -> list[AbstractContextManager[Any]]:
        """Return what a request holds: the lock of the rows, if there are any."""
        samples = self.__dict__.get("_samples")
        return [] if samples is None else [samples.lock]

    def __copy__(self) -> Self:
        return holding(self._locks(), self._copied)

    def _copied(self) -> Self:
        """Copy the estimator; private buffers, which requests overwrite, are not shared."""
        twin = snapshot(self)
        private = {name: value for name, value in vars(twin).items() if name[0] == "_"}
        twin.__dict__.update(copy.deepcopy(private))
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(copy.deepcopy(copy.copy(self).__dict__, memo))
        return twin

    def __getstate__(self) -> Any:
        # Of a copy, since a request may come in before all of the state is pickled.
        state = super(UnlearnerMixin, copy.copy(self)).__getstate__()
        # Times are of this machine, and would make pickles of equal models differ.
        return {name: value for name, value in state.items() if not isinstance(value, Seconds)}

    def __sklearn_tags__(self) -> Any:
        return with_unlearning_tags(super().__sklearn_tags__(), self._unlearning_tags)

    def _repr_html_inner(self) -> str:
        return estimator_html_repr(self) + self._promise_html()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += self._promise_html()
        return bundle

    def _promise_html(self) -> str:
        tags = self.__sklearn_tags__().unlearning_tags
        rows = [
            ("unlearns", f"{tags.kind}: {KINDS[tags.kind]}"),
            ("scope", f"{tags.scope}: {SCOPES[tags.scope]}"),
        ]
        assumed = self._assumptions() or ASSUMPTIONS.get(tags.kind)
        if assumed is not None:
            rows.append(("assumed", assumed))
        n_held, source, report = holding(self._locks(), self._last_request)
        if n_held is not None:
            rows += [("rows held", f"{n_held:,}"), ("ids", source)]
        last = report._repr_html_() if report is not None else ""
        return table_html("Unlearning", rows) + last

    def _last_request(self) -> tuple[int | None, str, UnlearningReport | None]:
        """Return how many rows are held, if any, by what ids, and what the last request told."""
        finish_interrupted()
        samples = self.__dict__.get("_samples")
        held = (None, "") if samples is None else (samples.n_samples, samples.id_source)
        return *held, self.__dict__.get("unlearning_report_")
