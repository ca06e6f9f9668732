"""What forests make of rows: how these are checked, weighed, scaled and seen by kernels."""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import is_cupy
from skunlearn._kernels.forest.tree_parts import Rules, Table
from skunlearn._samples.store import SampleStore
from skunlearn._validation import check_sample_weight, check_visitors, validate_data
from skunlearn.base import UnlearnerMixin
from skunlearn.ensemble._forest.categories import as_numbers, find_categorical
from skunlearn.ensemble._forest.forest import Forest, rows_that_count

_NO_LIMIT = int(np.iinfo(np.int32).max)

# The first is asked first, which takes a tenth of the time.
_WHOLE = (int, Integral)


def _writable(array: np.ndarray) -> np.ndarray:
    """Return an array, or a copy where it cannot be written: kernels are compiled for these."""
    return array if array.flags.writeable else np.array(array)


class ForestRows(UnlearnerMixin, BaseEstimator, metaclass=ABCMeta):
    """Rows as trees take them."""

    # How many rows there may be without weights, and with weights.
    _most_rows: ClassVar[dict[bool, int]] = {}

    n_estimators: int
    max_depth: int | None
    min_samples_split: Any
    min_samples_leaf: Any
    max_features: Any
    max_samples: float
    n_candidates: int
    categorical_features: Any
    n_jobs: int | None
    random_state: Any
    is_categorical_: np.ndarray | None
    _forest: Forest
    _scales: np.ndarray

    @abstractmethod
    def _criterion(self) -> int:
        """Return the number of the criterion."""

    @abstractmethod
    def _n_sums(self) -> int:
        """Return how many sums a node has."""

    @abstractmethod
    def _targets(self, samples: SampleStore) -> tuple[np.ndarray, np.ndarray]:
        """Return class codes and numeric targets, one of them of size 0."""

    @abstractmethod
    def _class_factors(self) -> np.ndarray:
        """Return weights of classes; of size 0 for regression."""

    def _rules(self, n_rows: int) -> Rules:
        n_features = self.n_features_in_
        wanted: Any = self.max_features
        if wanted == "sqrt":
            wanted = int(np.sqrt(n_features))
        elif wanted == "log2":
            wanted = int(np.log2(n_features))
        elif wanted is None:
            wanted = n_features
        elif not isinstance(wanted, _WHOLE):
            wanted = int(wanted * n_features)
        smallest, split = self.min_samples_leaf, self.min_samples_split
        if not isinstance(smallest, _WHOLE):
            smallest = int(np.ceil(smallest * n_rows))
        if not isinstance(split, _WHOLE):
            split = int(np.ceil(split * n_rows))
        return Rules(
            self._criterion(),
            max(1, min(int(wanted), n_features)),
            int(self.n_candidates),
            _NO_LIMIT if self.max_depth is None else int(self.max_depth),
            max(2, int(split), 2 * int(smallest)),
            int(smallest),
        )

    def _table(self, samples: SampleStore) -> Table:
        """View rows as the kernels do."""
        labels, targets = self._targets(samples)
        weights = samples.sample_weight
        return Table(
            _writable(samples.X).reshape(-1),
            samples.X.shape[1],
            1,
            self._forest.is_categorical,
            _writable(labels),
            _writable(targets),
            np.zeros(0) if weights is None else _writable(weights),
            _writable(self._class_factors()),
            _writable(self._scales),
        )

    def _check_rows(
        self, X: Any, y: Any, sample_weight: Any, **checks: Any
    ) -> tuple[Any, Any, Any]:
        """Validate X, y and weights; the rows in memory of our own."""
        source, numbers = X, None
        if self._taken_over.as_held:
            is_categorical = self._taken_over.is_categorical
        else:
            is_categorical = find_categorical(X, self.categorical_features)
            if is_categorical is not None:
                X = numbers = as_numbers(
                    X, is_categorical, self, order="C", ensure_all_finite="allow-nan"
                )
        X, y = validate_data(
            self,
            X,
            y,
            dtype=np.float32,
            order="C",
            ensure_all_finite="allow-nan" if is_categorical is None else False,
            multi_output=True,
            **checks,
        )
        if numbers is not None:
            validate_data(self, source, skip_check_array=True)
        if np.may_share_memory(X, source) if isinstance(source, np.ndarray) else X is not numbers:
            X = np.array(X, order="C")
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, ensure_non_negative=True)
            weight = np.array(weight, dtype=np.float64)
            if not weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        self._check_size(len(X), weight is not None)
        self.is_categorical_ = is_categorical
        return X, y, weight

    def _check_size(self, n_rows: int, weighted: bool) -> None:
        most = self._most_rows.get(weighted, n_rows)
        if n_rows > most:
            raise ValueError(f"{type(self).__name__} takes {most:,} rows at most; got {n_rows:,}.")

    def _weighing(self, samples: SampleStore, rows: np.ndarray) -> np.ndarray:
        """Return those of the rows that have a weight."""
        weight = samples.sample_weight
        labels, _ = self._targets(samples)
        weights = np.zeros(0) if weight is None else weight
        return rows_that_count(rows, weights, labels, self._class_factors())

    def _choose_scales(
        self, samples: SampleStore, rows: np.ndarray
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """Choose powers of two that turn targets and weights into integers.

        They depend on the size of the largest only, up to a power of two; also count the rows
        that have this size.
        """
        _, targets = self._targets(samples)
        weight = samples.sample_weight
        bits = (38, 20) if weight is None else (22, 18)
        scales, counts = np.ones(2), [0, 0]
        tables = (targets[rows] if targets.size else None, None if weight is None else weight[rows])
        for position, (table, n_bits) in enumerate(zip(tables, bits, strict=True)):
            if table is not None:
                sizes = np.abs(table)
                if sizes.ndim > 1:
                    sizes = sizes.max(axis=1)
                largest = float(sizes.max())
                exponent = math.frexp(largest)[1]
                scales[position] = 2.0 ** (n_bits - exponent)
                least = math.ldexp(1.0, exponent - 1) if largest else 0.0
                counts[position] = int(np.count_nonzero(sizes >= least))
        return scales, (counts[0], counts[1])

    def _check_queries(self, X: Any) -> Any:
        """Validate rows; those of CuPy stay where they are."""
        check_is_fitted(self)
        if is_cupy(X):
            if self.is_categorical_ is not None:
                raise TypeError(
                    f"This {type(self).__name__} has categorical features, which are read on the "
                    "host: pass a data frame or a NumPy array."
                )
            return check_visitors(self, X)
        return self._as_numbers(X, ensure_all_finite="allow-nan")

    def _as_stored(self, X: Any) -> np.ndarray:
        return self._as_numbers(X, ensure_all_finite=False)

    def _as_numbers(self, X: Any, **checks: Any) -> np.ndarray:
        """Validate queries and turn categories into numbers."""
        if self.is_categorical_ is None:
            return validate_data(self, X, dtype=np.float32, order="C", reset=False, **checks)
        validate_data(self, X, reset=False, skip_check_array=True)
        return as_numbers(X, self.is_categorical_, self, **checks)
