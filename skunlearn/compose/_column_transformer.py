"""Column transformers that forget."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import sklearn.compose
from scipy import sparse
from sklearn.compose import make_column_selector
from sklearn.utils import check_array

from skunlearn._compat import FORCE_INT_REMAINDER_COLS, StrOptions, safe_indexing
from skunlearn._samples.ids import SampleIds
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import as_table, native, take
from skunlearn._unlearning.step_input import StepInput
from skunlearn.compose._propagation import saw_columns_of
from skunlearn.compose._stacked import StackedTransformers

__all__ = ["ColumnTransformer", "make_column_selector", "make_column_transformer"]


class ColumnTransformer(StackedTransformers, sklearn.compose.ColumnTransformer):
    """A :class:`sklearn.compose.ColumnTransformer` whose `unlearn` reaches every transformer.

    A request goes to each transformer of this package with its columns. Where all remaining rows
    come out as before, a pipeline only forgets in what follows; where a transformer changed column
    by column and linearly, linear models follow by algebra; otherwise what follows is fitted anew.
    A category that vanishes drops its column.

    Parameters
    ----------
    transformers : list of (str, transformer, columns) tuples
        As in scikit-learn.

    remainder : {'drop', 'passthrough'} or estimator, default='drop'
        As in scikit-learn.

    sparse_threshold : float, default=0.3
        As in scikit-learn. A request may change the density, and with it the container.

    n_jobs : int, default=None
        Number of processes or threads in which transformers are fitted.

    transformer_weights : dict, default=None
        As in scikit-learn.

    verbose : bool, default=False
        As in scikit-learn.

    verbose_feature_names_out : bool, str or callable, default=True
        As in scikit-learn.

    on_memory : {'raise', 'refit'}, default='raise'
        What to do about a transformer that remembers rows and has no `unlearn`: raise, or fit a
        clone on the remaining rows. 'refit' keeps a copy of its columns.

    Attributes
    ----------
    transformers_ : list of (str, transformer, columns) tuples
        The fitted transformers.

    named_transformers_ : :class:`~sklearn.utils.Bunch`
        The fitted transformers by name.

    sparse_output_ : bool
        Whether the output is sparse.

    output_indices_ : dict of slice
        Which columns of the output each transformer makes.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request, with what each transformer did.

    See Also
    --------
    make_column_transformer : Names the transformers by their types.
    skunlearn.pipeline.Pipeline : Forgets in what follows as well.

    Notes
    -----
    Columns given by a callable are chosen once, in `fit`: a callable should look at names and
    dtypes, as :func:`~sklearn.compose.make_column_selector` does, which no request changes.

    Columns of stateless transformers and of 'passthrough' are held here, so that later steps can
    be fitted anew; all others are held by their transformers.

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn.compose import ColumnTransformer
    >>> from skunlearn.preprocessing import StandardScaler
    >>> X = np.array([[0.0, 7.0], [2.0, 8.0], [400.0, 9.0]])
    >>> columns = ColumnTransformer([("scale", StandardScaler(), [0])], remainder="passthrough")
    >>> columns.fit(X, sample_ids=["a", "b", "c"]).unlearn("c").transform(X[:2])
    array([[-1.,  7.],
           [ 1.,  8.]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **sklearn.compose.ColumnTransformer._parameter_constraints,
        "on_memory": [StrOptions({"raise", "refit"})],
    }

    _namesake_class = sklearn.compose.ColumnTransformer
    # A parameter of releases before 1.9, at what later ones do.
    force_int_remainder_cols = FORCE_INT_REMAINDER_COLS

    def __init__(
        self,
        transformers: Any,
        *,
        remainder: Any = "drop",
        sparse_threshold: float = 0.3,
        n_jobs: int | None = None,
        transformer_weights: dict[str, float] | None = None,
        verbose: bool = False,
        verbose_feature_names_out: Any = True,
        on_memory: str = "raise",
    ):
        self.transformers = transformers
        self.remainder = remainder
        self.sparse_threshold = sparse_threshold
        self.n_jobs = n_jobs
        self.transformer_weights = transformer_weights
        self.verbose = verbose
        self.verbose_feature_names_out = verbose_feature_names_out
        self.on_memory = on_memory

    def _templates(self) -> list[tuple[str, Any]]:
        parts = [(name, part) for name, part, _ in self.transformers]
        return [*parts, ("remainder", self.remainder)]

    def _parts(self) -> list[tuple[str, Any]]:
        if "transformers_" not in self.__dict__:
            return [(name, part) for name, part in self._templates() if part != "drop"]
        return [
            (name, part)
            for name, part, _ in self.transformers_
            if part != "drop" and len(self._transformer_to_input_indices[name])
        ]

    def _with_parts(self, parts: list[tuple[str, Any]]) -> dict[str, Any]:
        if "transformers_" not in self.__dict__:
            return {}
        present = dict(parts)
        return {
            "transformers_": [
                (name, present.get(name, part), columns)
                for name, part, columns in self.transformers_
            ]
        }

    def _call_func_on_transformers(
        self, X: Any, y: Any, func: Any, column_as_labels: bool, routed_params: Any
    ) -> Any:
        routed_params = self._with_ids(routed_params)
        return super()._call_func_on_transformers(X, y, func, column_as_labels, routed_params)

    def _record_output_indices(self, Xs: Any) -> None:
        super()._record_output_indices(Xs)
        names = [name for name, _ in self._parts()]
        self._sparse_parts = _sparse_among(dict(zip(names, Xs, strict=True)))
        self._stored = _stored_entries(Xs)

    def _hold_rows(self, table: Any, y: Any, ids: SampleIds) -> None:
        super()._hold_rows(table, y, ids)
        # The density of sparse outputs decides whether the output is sparse.
        stored = self.__dict__.pop("_stored", None)
        if stored is not None:
            self._samples.extras["stored_entries"] = stored

    def _spec(self, name: str) -> Any:
        """Return the columns of a part as the user named them."""
        return next(columns for part, _, columns in self.transformers_ if part == name)

    def _columns_for(self, name: str, X: Any) -> Any:
        return safe_indexing(_as_indexable(X), self._spec(name), axis=1)

    def _held_positions(self) -> list[int]:
        parts = [name for name, part in self._parts() if self._keeps_in(part)]
        return sorted({c for name in parts for c in self._transformer_to_input_indices[name]})

    def _columns_held(self, X: Any) -> Any:
        return as_table(safe_indexing(_as_indexable(X), self._held_positions(), axis=1))

    def _held_for(self, name: str, positions: np.ndarray) -> Any:
        samples, held = self._samples, self._held_positions()
        columns = [held.index(position) for position in self._transformer_to_input_indices[name]]
        X = native(take(samples.X, samples.slots()[positions]))
        return safe_indexing(X, columns[0] if np.isscalar(self._spec(name)) else columns, axis=1)

    def _width(self, name: str) -> int:
        span = self.output_indices_[name]
        return span.stop - span.start

    def _stacked(self, outputs: list[Any], n_samples: int) -> Any:
        return self._hstack(outputs, n_samples=n_samples) if outputs else np.zeros((n_samples, 0))

    def _takes(self, X: Any) -> bool:
        return saw_columns_of(self, X)

    def _reshaped(
        self, rows: np.ndarray, step_inputs: dict[str, StepInput]
    ) -> tuple[dict[str, Any], bool]:
        if not step_inputs:
            return {}, False
        anew = {n: s.get()[0] for n, s in step_inputs.items() if s.changed and s.source is None}
        widths = {name: self._width(name) for name in step_inputs}
        widths |= {name: outputs.shape[1] for name, outputs in anew.items()}
        state: dict[str, Any] = {}
        if anew:
            sparse_parts = _sparse_among(anew) | (self._sparse_parts - anew.keys())
            state = {"output_indices_": self._spans(widths), "_sparse_parts": sparse_parts}
            if sparse_parts or self._sparse_parts:
                outputs = [step_inputs[name].get()[0] for name in sparse_parts]
                state["_samples"] = self._recounted(rows, outputs)
        is_sparse = self._is_sparse(rows, widths, state)
        state["sparse_output_"] = is_sparse
        return state, is_sparse != self.sparse_output_

    def _recounted(self, rows: np.ndarray, outputs: list[Any]) -> SampleStore:
        """Copy the store with what remaining rows will store in sparse outputs."""
        samples = self._samples
        twin = samples.with_table(take(samples.X, np.arange(samples.n_slots)))
        counts = _stored_entries(outputs)
        twin.extras.pop("stored_entries", None)
        if counts is not None:
            stored = twin.extras["stored_entries"] = np.zeros(samples.n_slots, dtype=np.int64)
            stored[samples.slots_without(rows)] = counts
        return twin

    def _is_sparse(self, rows: np.ndarray, widths: dict[str, int], state: dict[str, Any]) -> bool:
        """Tell whether the remaining rows are so sparse that the output is."""
        samples = state.get("_samples", self._samples)
        sparse_parts = state.get("_sparse_parts", self._sparse_parts)
        if not sparse_parts:
            return False
        stored = samples.extras["stored_entries"]
        n_remaining = samples.n_samples - rows.size
        full = sum(width for name, width in widths.items() if name not in sparse_parts)
        entries = stored.sum() - stored[rows].sum() + n_remaining * full
        return bool(entries / (n_remaining * sum(widths.values())) < self.sparse_threshold)

    def _spans(self, widths: dict[str, int]) -> dict[str, slice]:
        """Return `output_indices_` for parts that make so many columns."""
        ends = np.cumsum([0, *widths.values()]).tolist()
        spans = dict.fromkeys(self.output_indices_, slice(0, 0))
        return spans | {name: slice(*ends[at : at + 2]) for at, name in enumerate(widths)}


def _as_indexable(X: Any) -> Any:
    """Return rows whose columns can be taken, as scikit-learn's column transformer does."""
    if hasattr(X, "shape"):
        return X
    if hasattr(X, "__array__"):
        return np.asarray(X)
    return check_array(X, ensure_all_finite="allow-nan", dtype=object)


def _sparse_among(outputs: dict[str, Any]) -> frozenset[str]:
    return frozenset(name for name, X in outputs.items() if sparse.issparse(X))


def _stored_entries(outputs: Any) -> np.ndarray | None:
    """Count what each row stores in sparse outputs; None if there are none."""
    counts = [np.diff(X.tocsr().indptr) for X in outputs if sparse.issparse(X)]
    return np.stack(counts).sum(axis=0, dtype=np.int64) if counts else None


def make_column_transformer(
    *transformers: Any,
    remainder: Any = "drop",
    sparse_threshold: float = 0.3,
    n_jobs: int | None = None,
    verbose: bool = False,
    verbose_feature_names_out: Any = True,
    on_memory: str = "raise",
) -> ColumnTransformer:
    """Build a :class:`ColumnTransformer` whose transformers are named by their types.

    Parameters
    ----------
    *transformers : (transformer, columns) tuples
        As in scikit-learn.

    remainder : {'drop', 'passthrough'} or estimator, default='drop'
        As in scikit-learn.

    sparse_threshold : float, default=0.3
        As in scikit-learn.

    n_jobs : int, default=None
        As in scikit-learn.

    verbose : bool, default=False
        As in scikit-learn.

    verbose_feature_names_out : bool, str or callable, default=True
        As in scikit-learn.

    on_memory : {'raise', 'refit'}, default='raise'
        As in :class:`ColumnTransformer`.

    Returns
    -------
    transformer : ColumnTransformer
        Not fitted.

    Examples
    --------
    >>> from skunlearn.compose import make_column_transformer
    >>> from skunlearn.preprocessing import StandardScaler
    >>> make_column_transformer((StandardScaler(), [0, 1])).transformers[0][0]
    'standardscaler'
    """
    named = sklearn.compose.make_column_transformer(*transformers).transformers
    return ColumnTransformer(
        named,
        remainder=remainder,
        sparse_threshold=sparse_threshold,
        n_jobs=n_jobs,
        verbose=verbose,
        verbose_feature_names_out=verbose_feature_names_out,
        on_memory=on_memory,
    )
