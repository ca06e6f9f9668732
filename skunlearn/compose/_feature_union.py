"""Feature unions that forget."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import sklearn.pipeline

from skunlearn._compat import StrOptions
from skunlearn._samples.tables import as_table, native, take
from skunlearn._unlearning.step_input import StepInput
from skunlearn.compose._stacked import StackedTransformers


class FeatureUnion(StackedTransformers, sklearn.pipeline.FeatureUnion):
    """A :class:`sklearn.pipeline.FeatureUnion` whose `unlearn` reaches every transformer.

    Parameters
    ----------
    transformer_list : list of (str, transformer) tuples
        As in scikit-learn.

    n_jobs : int, default=None
        Number of processes or threads in which transformers are fitted.

    transformer_weights : dict, default=None
        As in scikit-learn.

    verbose : bool, default=False
        As in scikit-learn.

    verbose_feature_names_out : bool, default=True
        As in scikit-learn.

    on_memory : {'raise', 'refit'}, default='raise'
        What to do about a transformer that remembers rows and has no `unlearn`: raise, or fit a
        clone on the remaining rows. 'refit' keeps a copy of the training rows here.

    Attributes
    ----------
    named_transformers : :class:`~sklearn.utils.Bunch`
        The fitted transformers by name.

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
    make_union : Names the transformers by their types.
    skunlearn.compose.ColumnTransformer : Gives each transformer columns of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn.pipeline import make_union
    >>> from skunlearn.preprocessing import StandardScaler
    >>> X = np.array([[0.0], [2.0], [400.0]])
    >>> union = make_union(StandardScaler(), "passthrough")
    >>> union.fit(X, sample_ids=["a", "b", "c"]).unlearn("c").transform(X[:2])
    array([[-1.,  0.],
           [ 1.,  2.]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "transformer_list": [list],
        "on_memory": [StrOptions({"raise", "refit"})],
    }

    _namesake_class = sklearn.pipeline.FeatureUnion

    def __init__(
        self,
        transformer_list: Any,
        *,
        n_jobs: int | None = None,
        transformer_weights: dict[str, float] | None = None,
        verbose: bool = False,
        verbose_feature_names_out: bool = True,
        on_memory: str = "raise",
    ):
        super().__init__(
            transformer_list,
            n_jobs=n_jobs,
            transformer_weights=transformer_weights,
            verbose=verbose,
            verbose_feature_names_out=verbose_feature_names_out,
        )
        self.on_memory = on_memory

    def _templates(self) -> list[tuple[str, Any]]:
        return self._parts()

    def _parts(self) -> list[tuple[str, Any]]:
        return [(name, part) for name, part, _ in self._iter()]

    def _with_parts(self, parts: list[tuple[str, Any]]) -> dict[str, Any]:
        present = dict(parts)
        return {
            "transformer_list": [
                (name, part if part == "drop" else present[name])
                for name, part in self.transformer_list
            ]
        }

    def _parallel_func(self, X: Any, y: Any, func: Any, routed_params: Any) -> Any:
        return super()._parallel_func(X, y, func, self._with_ids(routed_params))

    def _hstack(self, Xs: Any) -> Any:
        if "_handed" in self.__dict__:  # this is `fit`
            names = [name for name, _ in self._parts()]
            self._widths = {name: X.shape[1] for name, X in zip(names, Xs, strict=True)}
        return super()._hstack(Xs)

    def _columns_for(self, name: str, X: Any) -> Any:
        return X

    def _columns_held(self, X: Any) -> Any:
        return as_table(X)

    def _held_for(self, name: str, positions: np.ndarray) -> Any:
        return native(take(self._samples.X, self._samples.slots()[positions]))

    def _width(self, name: str) -> int:
        return self._widths[name]

    def _stacked(self, outputs: list[Any], n_samples: int) -> Any:
        return self._hstack(outputs) if outputs else np.zeros((n_samples, 0))

    def _takes(self, X: Any) -> bool:
        return True

    def _reshaped(
        self, rows: np.ndarray, step_inputs: dict[str, StepInput]
    ) -> tuple[dict[str, Any], bool]:
        anew = {
            name: step_input.get()[0].shape[1]
            for name, step_input in step_inputs.items()
            if step_input.changed and step_input.source is None
        }
        return ({"_widths": self._widths | anew} if anew else {}), False


def make_union(
    *transformers: Any,
    n_jobs: int | None = None,
    verbose: bool = False,
    verbose_feature_names_out: bool = True,
    on_memory: str = "raise",
) -> FeatureUnion:
    """Build a :class:`FeatureUnion` whose transformers are named by their types.

    Parameters
    ----------
    *transformers : estimators
        The transformers, side by side.

    n_jobs : int, default=None
        As in scikit-learn.

    verbose : bool, default=False
        As in scikit-learn.

    verbose_feature_names_out : bool, default=True
        As in scikit-learn.

    on_memory : {'raise', 'refit'}, default='raise'
        As in :class:`FeatureUnion`.

    Returns
    -------
    union : FeatureUnion
        Not fitted.

    Examples
    --------
    >>> from skunlearn.pipeline import make_union
    >>> from skunlearn.preprocessing import StandardScaler
    >>> [name for name, _ in make_union(StandardScaler(), StandardScaler()).transformer_list]
    ['standardscaler-1', 'standardscaler-2']
    """
    named = sklearn.pipeline.make_union(*transformers).transformer_list
    return FeatureUnion(
        named,
        n_jobs=n_jobs,
        verbose=verbose,
        verbose_feature_names_out=verbose_feature_names_out,
        on_memory=on_memory,
    )
