"""OrdinalEncoder that forgets rows."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval, RealNotInt, StrOptions
from skunlearn.base import reads_one_version
from skunlearn.preprocessing._category_columns import is_nan
from skunlearn.preprocessing._grouping_encoder import GroupingEncoder


class OrdinalEncoder(OneToOneFeatureMixin, GroupingEncoder):
    """Encode categories as whole numbers, and forget rows.

    Same parameters, fitted attributes and output as :class:`sklearn.preprocessing.OrdinalEncoder`.
    A request costs a look-up per removed value; categories are counted at the first request.

    Parameters
    ----------
    categories : 'auto' or a list of array-like, default='auto'
        The categories of each feature; 'auto' finds them in the rows. Categories that are given
        stay, whatever is unlearned.

    dtype : number type, default=float
        Of the output.

    handle_unknown : {'error', 'use_encoded_value'}, default='error'
        What to do about categories in `transform` that are not known.

    unknown_value : int or nan, default=None
        The code of unknown categories; must not be the code of a known one.

    encoded_missing_value : int or nan, default=nan
        The code of missing values; must not be the code of a category.

    min_frequency : int or float, default=None
        Categories of fewer rows, in number or as a fraction, share one code.

    max_categories : int, default=None
        Upper limit to the number of codes of each feature, without those of missing and unknown
        values.

    Attributes
    ----------
    categories_ : list of ndarray
        The categories of each feature, sorted; they change when the last row of one goes.

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
    skunlearn.preprocessing.OneHotEncoder : One column per category.

    Notes
    -----
    The promise is 'bitwise'. When the last row of a category goes, later categories move up by one
    code; in a pipeline the steps that follow are then fitted anew, unless all remaining rows have
    the codes that they had.

    Examples
    --------
    >>> from skunlearn.preprocessing import OrdinalEncoder
    >>> X = [["low", 1], ["high", 3], ["high", 2]]
    >>> encoder = OrdinalEncoder().fit(X, sample_ids=["a", "b", "c"])
    >>> encoder.unlearn("c").transform([["low", 3]])
    array([[1., 1.]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "categories": [StrOptions({"auto"}), list],
        "dtype": "no_validation",
        "encoded_missing_value": [Integral, type(np.nan)],
        "handle_unknown": [StrOptions({"error", "use_encoded_value"})],
        "unknown_value": [Integral, type(np.nan), None],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "min_frequency": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            None,
        ],
    }
    _ignores_missing = True

    def __init__(
        self,
        *,
        categories: Any = "auto",
        dtype: Any = np.float64,
        handle_unknown: str = "error",
        unknown_value: Any = None,
        encoded_missing_value: Any = np.nan,
        min_frequency: float | None = None,
        max_categories: int | None = None,
    ):
        self.categories = categories
        self.dtype = dtype
        self.handle_unknown = handle_unknown
        self.unknown_value = unknown_value
        self.encoded_missing_value = encoded_missing_value
        self.min_frequency = min_frequency
        self.max_categories = max_categories

    def _check_parameters(self) -> None:
        if self.handle_unknown == "use_encoded_value":
            if is_nan(self.unknown_value):
                if np.dtype(self.dtype).kind != "f":
                    raise ValueError(
                        "When unknown_value is np.nan, the dtype parameter should be a float "
                        f"dtype. Got {self.dtype}."
                    )
            elif not isinstance(self.unknown_value, Integral):
                raise TypeError(
                    "unknown_value should be an integer or np.nan when handle_unknown is "
                    f"'use_encoded_value', got {self.unknown_value}."
                )
        elif self.unknown_value is not None:
            raise TypeError(
                "unknown_value should only be set when handle_unknown is 'use_encoded_value', "
                f"got {self.unknown_value}."
            )

    def _settle(
        self, categories: list[np.ndarray], numbers: list[np.ndarray] | None, n_samples: int
    ) -> dict[str, Any]:
        state = super()._settle(categories, numbers, n_samples)
        missing = {
            feature: known.size - 1 for feature, known in enumerate(categories) if is_nan(known[-1])
        }
        groups = state.get("_infrequent_indices", [None] * len(categories))
        # As in scikit-learn, the code of the infrequent categories is not among those checked.
        sizes = [
            known.size - (feature in missing) - (0 if rare is None else rare.size)
            for feature, (known, rare) in enumerate(zip(categories, groups, strict=True))
        ]
        if self.handle_unknown == "use_encoded_value" and any(
            0 <= self.unknown_value < size for size in sizes
        ):
            raise ValueError(
                f"The used value for unknown_value {self.unknown_value} is one of the values "
                "already used for encoding the seen categories."
            )
        if missing:
            self._check_missing_value(missing, sizes)
        return state | {"_missing_indices": missing}

    def _check_missing_value(self, missing: dict[int, int], sizes: list[int]) -> None:
        """Raise if missing values cannot have the code they should have."""
        if is_nan(self.encoded_missing_value):
            if np.dtype(self.dtype).kind != "f":
                raise ValueError(
                    f"There are missing values in features {list(missing)}. For OrdinalEncoder to "
                    f"encode missing values with dtype: {self.dtype}, set encoded_missing_value "
                    "to a non-nan value, or set dtype to a float"
                )
            return
        taken: Any = [
            feature for feature in missing if 0 <= self.encoded_missing_value < sizes[feature]
        ]
        if taken:
            if hasattr(self, "feature_names_in_"):
                taken = self.feature_names_in_[taken]
            raise ValueError(
                f"encoded_missing_value ({self.encoded_missing_value}) is already used to encode "
                f"a known category in features: {taken}"
            )

    def _destinations(self) -> list[np.ndarray]:
        """Return the code of each category, and last of an unknown value."""
        mappings = self._mappings()
        made = []
        for feature, (known, mapping) in enumerate(zip(self.categories_, mappings, strict=True)):
            targets = np.zeros(known.size + 1, dtype=self.dtype)
            size = known.size - (feature in self._missing_indices)
            targets[:size] = np.arange(size) if mapping is None else mapping
            if feature in self._missing_indices:
                targets[size] = self.encoded_missing_value
            if self.handle_unknown == "use_encoded_value":
                targets[-1] = self.unknown_value
            made.append(targets)
        return made

    @reads_one_version
    def transform(self, X: Any) -> np.ndarray:
        """Encode rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        X_out : ndarray of shape (n_samples, n_features)
            Codes.
        """
        check_is_fitted(self, "categories_")
        codes, _ = self._codes(X, self.handle_unknown)
        out = np.empty((codes[0].size, len(codes)), dtype=self.dtype)
        for feature, (found, targets) in enumerate(zip(codes, self._destinations(), strict=True)):
            out[:, feature] = targets[found]
        return out

    @reads_one_version
    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decode rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Codes.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Categories; None for the code of unknown ones, 'infrequent_sklearn' for that of
            infrequent ones.
        """
        check_is_fitted(self)
        X = check_array(X, ensure_all_finite="allow-nan")
        if X.shape[1] != len(self.categories_):
            raise ValueError(
                "Shape of the passed X data is not correct. Expected "
                f"{len(self.categories_)} columns, got {X.shape[1]}."
            )
        groups = self.__dict__.get("_infrequent_indices", [None] * len(self.categories_))
        lenient = self.handle_unknown == "use_encoded_value"
        dtype: Any = np.result_type(*[known.dtype for known in self.categories_])
        if lenient or any(rare is not None for rare in groups):
            dtype = object
        X_tr = np.empty(X.shape, dtype=dtype)
        for feature, (known, rare) in enumerate(zip(self.categories_, groups, strict=True)):
            labels = X[:, feature]
            left = np.ones(labels.size, dtype=bool)
            if feature in self._missing_indices:
                missing = _equal(labels, self.encoded_missing_value)
                X_tr[missing, feature] = known[-1:]
                left &= ~missing
                known = known[:-1]
            if rare is not None:
                grouped = labels == known.size - rare.size
                X_tr[grouped, feature] = "infrequent_sklearn"
                left &= ~grouped
                known = np.delete(known, rare)
            if lenient:
                unknown = _equal(labels, self.unknown_value)
                X_tr[unknown, feature] = None
                left &= ~unknown
            X_tr[left, feature] = known[labels[left].astype(np.int64, copy=False)]
        return X_tr

    def to_predictor(self) -> sklearn.preprocessing.OrdinalEncoder:
        """Return scikit-learn's own encoder for deployment.

        Returns
        -------
        predictor : sklearn.preprocessing.OrdinalEncoder
            Fitted; holds no training row.
        """
        return self._to_namesake(
            sklearn.preprocessing.OrdinalEncoder,
            "_infrequent_indices",
            "_default_to_infrequent_mappings",
            "_missing_indices",
        )


def _equal(labels: np.ndarray, value: Any) -> np.ndarray:
    return np.isnan(labels) if is_nan(value) else labels == value
