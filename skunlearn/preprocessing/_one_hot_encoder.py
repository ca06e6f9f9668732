"""OneHotEncoder that forgets rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import (
    Interval,
    RealNotInt,
    StrOptions,
    align_sparse,
    check_feature_names_in,
    transform_container,
)
from skunlearn.base import reads_one_version
from skunlearn.preprocessing._category_columns import as_objects, is_nan
from skunlearn.preprocessing._grouping_encoder import GroupingEncoder

_INFREQUENT = "infrequent_sklearn"


class OneHotEncoder(GroupingEncoder):
    """Encode categories as columns of zeros and ones, and forget rows.

    Same parameters, fitted attributes and output as :class:`sklearn.preprocessing.OneHotEncoder`.
    A request costs a look-up per removed value; categories are counted at the first request.

    Parameters
    ----------
    categories : 'auto' or a list of array-like, default='auto'
        The categories of each feature; 'auto' finds them in the rows. Categories that are given
        stay, whatever is unlearned.

    drop : {'first', 'if_binary'} or array-like of shape (n_features,), default=None
        Which category of each feature gets no column. A request after which a category that an
        array names would be gone, or infrequent, is refused.

    sparse_output : bool, default=True
        Whether to return CSR matrices.

    dtype : number type, default=float
        Of the output.

    handle_unknown : {'error', 'ignore', 'infrequent_if_exist', 'warn'}, default='error'
        What to do about categories in `transform` that are not known.

    min_frequency : int or float, default=None
        Categories of fewer rows, in number or as a fraction, are infrequent.

    max_categories : int, default=None
        Upper limit to the columns of each feature.

    feature_name_combiner : 'concat' or callable, default='concat'
        Makes names of columns from those of features and categories.

    Attributes
    ----------
    categories_ : list of ndarray
        The categories of each feature, sorted; they change when the last row of one goes.

    drop_idx_ : ndarray of shape (n_features,) or None
        Which category of each feature gets no column.

    infrequent_categories_ : list of ndarray
        The infrequent categories of each feature.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    skunlearn.preprocessing.OrdinalEncoder : One column of numbers per feature.

    Notes
    -----
    The promise is 'bitwise'. The dtype of an array of strings is that of X, as it is in a slice of
    X.

    Examples
    --------
    >>> from skunlearn.preprocessing import OneHotEncoder
    >>> encoder = OneHotEncoder().fit([["red"], ["blue"], ["red"]], sample_ids=["a", "b", "c"])
    >>> encoder.unlearn("b").categories_
    [array(['red'], dtype=object)]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "categories": [StrOptions({"auto"}), list],
        "drop": [StrOptions({"first", "if_binary"}), "array-like", None],
        "dtype": "no_validation",
        "handle_unknown": [StrOptions({"error", "ignore", "infrequent_if_exist", "warn"})],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "min_frequency": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            None,
        ],
        "sparse_output": ["boolean"],
        "feature_name_combiner": [StrOptions({"concat"}), callable],
    }

    def __init__(
        self,
        *,
        categories: Any = "auto",
        drop: Any = None,
        sparse_output: bool = True,
        dtype: Any = np.float64,
        handle_unknown: str = "error",
        min_frequency: float | None = None,
        max_categories: int | None = None,
        feature_name_combiner: Any = "concat",
    ):
        self.categories = categories
        self.sparse_output = sparse_output
        self.dtype = dtype
        self.handle_unknown = handle_unknown
        self.drop = drop
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.feature_name_combiner = feature_name_combiner

    def _settle(
        self, categories: list[np.ndarray], numbers: list[np.ndarray] | None, n_samples: int
    ) -> dict[str, Any]:
        state = super()._settle(categories, numbers, n_samples)
        mappings = state.get("_default_to_infrequent_mappings", [None] * len(categories))
        sizes = [
            known.size if mapping is None else int(mapping.max()) + 1
            for known, mapping in zip(categories, mappings, strict=True)
        ]
        dropped = self._find_dropped(categories, mappings, sizes)
        state["_n_features_outs"] = [
            size - (position is not None) for size, position in zip(sizes, dropped, strict=True)
        ]
        state["_dropped"] = dropped
        state["drop_idx_"] = None
        if self.drop is not None:
            firsts = [
                position if position is None or mapping is None else _first(mapping, position)
                for position, mapping in zip(dropped, mappings, strict=True)
            ]
            state["drop_idx_"] = np.array(firsts, dtype=object)
        return state

    def _find_dropped(
        self, categories: list[np.ndarray], mappings: list[Any], sizes: list[int]
    ) -> list[int | None]:
        """Say which group of categories of each feature gets no column."""
        if self.drop is None:
            return [None] * len(categories)
        if isinstance(self.drop, str):
            return [0 if self.drop == "first" or size == 2 else None for size in sizes]
        wanted = np.asarray(self.drop, dtype=object)
        if len(wanted) != len(categories):
            raise ValueError(
                f"`drop` should have length equal to the number of features ({len(categories)}), "
                f"got {len(wanted)}"
            )
        dropped: list[int | None] = []
        absent = []
        for feature, (value, known, mapping) in enumerate(
            zip(wanted, categories, mappings, strict=True)
        ):
            if is_nan(value):
                positions = np.array([known.size - 1] if is_nan(known[-1]) else [])
            else:
                positions = np.flatnonzero(known == value)
            if not positions.size:
                absent.append(f"Category: {feature}, Feature: {value}")
                continue
            position = int(positions[0])
            if mapping is None:
                dropped.append(position)
            elif mapping[position] == mapping.max():
                raise ValueError(
                    f"Unable to drop category {known[position : position + 1].tolist()[0]!r} from "
                    f"feature {feature} because it is infrequent"
                )
            else:
                dropped.append(int(mapping[position]))
        if absent:
            raise ValueError(
                "The following categories were supposed to be dropped, but were not found in the "
                "training data.\n" + "\n".join(absent)
            )
        return dropped

    def _widths(self) -> list[int]:
        return self._n_features_outs

    def _destinations(self) -> list[np.ndarray]:
        """Return each category's column among those of its feature; -1 for none."""
        made = []
        for known, mapping, position in zip(
            self.categories_, self._mappings(), self._dropped, strict=True
        ):
            targets = np.empty(known.size + 1, dtype=np.intp)
            targets[:-1] = np.arange(known.size) if mapping is None else mapping
            targets[-1] = -1
            if mapping is not None and self.handle_unknown in ("infrequent_if_exist", "warn"):
                targets[-1] = mapping.max()
            if position is not None:
                gone = targets == position
                targets[targets > position] -= 1
                targets[gone] = -1
            made.append(targets)
        return made

    @reads_one_version
    def transform(self, X: Any) -> Any:
        """Encode rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        X_out : {ndarray, sparse matrix} of shape (n_samples, n_encoded_features)
            Zeros and ones.
        """
        check_is_fitted(self)
        container = transform_container(self)
        if container != "default" and self.sparse_output:
            name = container.capitalize()
            raise ValueError(
                f"{name} output does not support sparse data. Set sparse_output=False to output "
                f"{container} dataframes or disable {name} output via"
                '` ohe.set_output(transform="default").'
            )
        lenient = self.handle_unknown in ("ignore", "infrequent_if_exist")
        codes, strange = self._codes(X, self.handle_unknown)
        if strange and (self.handle_unknown == "warn" or (lenient and self.drop is not None)):
            how = "all zeros" if self.handle_unknown == "ignore" else "the infrequent category"
            warnings.warn(
                f"Found unknown categories in columns {strange} during transform. These unknown "
                f"categories will be encoded as {how}" + "." * (how != "all zeros"),
                UserWarning,
                stacklevel=2,
            )
        out = self._ones(codes)
        return align_sparse(out) if self.sparse_output else out.toarray()

    def _ones(self, codes: list[np.ndarray]) -> Any:
        """Put a one where each code says."""
        n_samples, n_features = codes[0].size, len(codes)
        width = sum(self._n_features_outs)
        index = np.int32 if max(width, n_samples * n_features) <= np.iinfo(np.int32).max else int
        positions = np.empty((n_samples, n_features), dtype=index)
        complete = True
        start = 0
        for column, (found, targets, size) in enumerate(
            zip(codes, self._destinations(), self._n_features_outs, strict=True)
        ):
            shifted = np.where(targets < 0, -1, targets + start).astype(index)
            complete = complete and bool(
                shifted[:-1].min(initial=0) >= 0 and (shifted[-1] >= 0 or found.min(initial=0) >= 0)
            )
            np.take(shifted, found, out=positions[:, column], mode="wrap")
            start += size
        if complete:
            indices = positions.ravel()
            indptr = np.arange(n_samples + 1, dtype=index) * n_features
        else:
            chosen = positions >= 0
            indices = positions[chosen]
            indptr = np.zeros(n_samples + 1, dtype=index)
            np.cumsum(chosen.sum(axis=1), out=indptr[1:])
        ones = np.ones(indices.size)
        return sparse.csr_array((ones, indices, indptr), shape=(n_samples, width), dtype=self.dtype)

    @reads_one_version
    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_encoded_features)
            Encoded rows.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Categories; None for an unknown one, 'infrequent_sklearn' for an infrequent one.
        """
        check_is_fitted(self)
        X = check_array(X, accept_sparse="csr")
        widths = self._n_features_outs
        if X.shape[1] != sum(widths):
            raise ValueError(
                "Shape of the passed X data is not correct. Expected "
                f"{sum(widths)} columns, got {X.shape[1]}."
            )
        groups = [self._groups(feature) for feature in range(len(widths))]
        X_tr = np.empty(
            (X.shape[0], len(widths)), dtype=np.result_type(*[group.dtype for group in groups])
        )
        unknown: dict[int, np.ndarray] = {}
        start = 0
        for feature, (width, group) in enumerate(zip(widths, groups, strict=True)):
            position = self._dropped[feature]
            if not width:
                X_tr[:, feature] = self.categories_[feature][position]
                continue
            part = X[:, start : start + width]
            start += width
            shown = group if position is None else np.delete(group, position)
            X_tr[:, feature] = shown[np.asarray(part.argmax(axis=1)).ravel()]
            zeros = np.asarray(part.sum(axis=1) == 0).ravel()
            if not zeros.any():
                continue
            if self.handle_unknown == "ignore" or (
                self.handle_unknown in ("infrequent_if_exist", "warn")
                and self._mappings()[feature] is None
            ):
                if position is None:
                    unknown[feature] = zeros
                else:
                    X_tr[zeros, feature] = self.categories_[feature][position]
            elif self.drop is None:
                raise ValueError(
                    f"Samples {np.flatnonzero(zeros)} can not be inverted when drop=None and "
                    "handle_unknown='error' because they contain all zeros"
                )
            else:
                X_tr[zeros, feature] = group[position]
        if unknown:
            X_tr = X_tr.astype(object, copy=False)
            for feature, rows in unknown.items():
                X_tr[rows, feature] = None
        return X_tr

    def _groups(self, feature: int) -> np.ndarray:
        """Return what the columns of a feature stand for, the dropped one included."""
        known, mapping = self.categories_[feature], self._mappings()[feature]
        if mapping is None:
            return known
        return np.concatenate([known[mapping < mapping.max()], as_objects([_INFREQUENT])])

    @reads_one_version
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features; default those seen during `fit`, or ``x0``, ``x1``, ...

        Returns
        -------
        feature_names_out : ndarray of str objects
            One per column.
        """
        check_is_fitted(self)
        features = check_feature_names_in(self, input_features)
        combine = self._combiner()
        names = []
        for feature, position in enumerate(self._dropped):
            group = self._groups(feature)
            shown = group if position is None else np.delete(group, position)
            names += [combine(features[feature], category) for category in shown]
        return np.array(names, dtype=object)

    def _combiner(self) -> Callable[[str, Any], str]:
        if self.feature_name_combiner == "concat":
            return lambda feature, category: f"{feature}_{category}"
        trial = self.feature_name_combiner("feature", "category")
        if not isinstance(trial, str):
            raise TypeError(
                "When `feature_name_combiner` is a callable, it should return a Python string. "
                f"Got {type(trial)} instead."
            )
        return self.feature_name_combiner

    def to_predictor(self) -> sklearn.preprocessing.OneHotEncoder:
        """Return scikit-learn's own encoder for deployment.

        Returns
        -------
        predictor : sklearn.preprocessing.OneHotEncoder
            Fitted; holds no training row.
        """
        names = ("_infrequent_indices", "_default_to_infrequent_mappings", "_n_features_outs")
        with self._check_samples().lock:
            predictor = self._to_namesake(sklearn.preprocessing.OneHotEncoder, *names)
            dropped = None if self.drop is None else np.array(self._dropped, dtype=object)
            predictor._drop_idx_after_grouping = dropped
        return predictor


def _first(mapping: np.ndarray, position: int) -> int:
    return int(np.flatnonzero(mapping == position)[0])
