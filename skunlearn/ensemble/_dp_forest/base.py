"""What private forests share: what is declared, counting rows, noise, the account, forgetting."""

from __future__ import annotations

import secrets
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval
from skunlearn._kernels.forest.layout import trees_of_rows
from skunlearn._privacy.noise import digest, secret_geometric
from skunlearn._samples.hashing import draw_seed, hash_rows_for
from skunlearn._samples.tables import NO_ROWS
from skunlearn._unlearning.commit import Removal, Replacement, commit
from skunlearn._unlearning.report import Guarantee
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import UnlearnerMixin, reads_one_version
from skunlearn.ensemble._dp_forest.terms import (
    ANY_REQUEST,
    FIXED_REQUESTS,
    ROUNDING,
    Terms,
    checked_bounds,
)
from skunlearn.ensemble._dp_forest.trees import BLOCK, PrivateTrees, grow
from skunlearn.exceptions import BudgetExhaustedError, PrivacyLeakWarning


class BasePrivateForest(UnlearnerMixin, BaseEstimator, metaclass=ABCMeta):
    """Trees that know no rows, in whose leaves rows are counted and published with noise."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "bounds": ["array-like", None],
        "max_depth": [Interval(Integral, 1, 20, closed="both")],
        "max_samples": [Interval(Real, 0.0, 1.0, closed="right")],
        "categories": [Mapping, None],
        "missing_features": ["array-like", None],
        "total_epsilon": [Interval(Real, 0, None, closed="neither"), None],
        "removal_epsilon": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }
    _overwritten: ClassVar[tuple[str, ...]] = ("_counts",)

    n_estimators: int
    epsilon: float
    bounds: Any
    max_depth: int
    max_samples: float
    categories: Any
    missing_features: Any
    total_epsilon: float | None
    removal_epsilon: float
    random_state: Any

    trees_: PrivateTrees
    noisy_counts_: np.ndarray
    leaf_scores_: np.ndarray
    base_scores_: np.ndarray
    n_releases_: int
    _terms: Terms
    _declared: dict[str, np.ndarray | None]
    _counts: np.ndarray
    _n_pending: int
    _seed: bytes

    _accounts: ClassVar[tuple[str, ...]] = ("n_releases_", "_n_pending")

    # A row counts as so many units, which its kinds share.
    _unit: ClassVar[int] = 1

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        terms = self.__dict__.get("_terms")
        keeps = terms.n_pending > 0 if terms else self.removal_epsilon >= self.epsilon
        return UnlearningTags("certified", "output" if keeps else "state")

    @abstractmethod
    def _read_targets(self, rows: np.ndarray) -> np.ndarray:
        """Read from the given rows what was not declared about targets."""

    @abstractmethod
    def _row_counts(
        self, described: dict[str, Any], rows: np.ndarray, positions: np.ndarray, n_positions: int
    ) -> np.ndarray:
        """Count rows by position and kind, in units.

        Parameters
        ----------
        described : dict
            From :meth:`_describe`.
        rows : ndarray of shape (n_rows,)
            Slots.
        positions : ndarray of shape (n_rows, n_per_row)
            Where they are counted.
        n_positions : int

        Returns
        -------
        counts : ndarray of shape (n_positions, n_kinds), int64
        """

    @abstractmethod
    def _scores(
        self, described: dict[str, Any], released: np.ndarray, noise: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what predictions add up, for each leaf, and from where, out of noisy counts."""

    def _fit_rows(
        self, X: Any, y: np.ndarray, sources: Any, sample_ids: Any, **targets: np.ndarray | None
    ) -> None:
        """Hold validated rows, count them and publish the counts with noise.

        `targets` is what is declared about targets, by the name of the attribute.
        """
        declared = {"bounds_": self._declared_bounds()} | targets
        key = self._taken_over.seed
        if key is None:
            key = self._new_key()
        terms = self._choose_terms(key)
        if terms.n_releases(0) < 1:
            raise ValueError(
                f"total_epsilon={self.total_epsilon} covers no release of epsilon={self.epsilon}."
            )
        for name, value in declared.items():
            if value is None:
                self._warn_of_leak(name.removesuffix("_"))
        self._seed, self._terms, self._declared = key, terms, declared
        self._hold_samples(X, y, sources=sources, sample_ids=sample_ids)
        rows = self._samples.slots()
        described = self._describe(rows)
        trees = self._grow(described)
        counts = self._count(trees, described, rows)
        state = described | {"trees_": trees, "_counts": counts}
        self.__dict__.update(state | self._publish(described, trees, counts, 1))

    def _new_key(self) -> bytes:
        if self.random_state is None:
            return secrets.token_bytes(32)
        return digest(str(draw_seed(self.random_state)).encode())

    def _choose_terms(self, key: bytes) -> Terms:
        n_features = self.n_features_in_
        n_categories = np.zeros(n_features, dtype=np.int64)
        for column, number in (self.categories or {}).items():
            if not isinstance(number, int | np.integer) or number < 1:
                raise ValueError(f"categories[{column!r}] is {number!r}, not a positive integer.")
            n_categories[self._column(column)] = number
        may_miss = np.zeros(n_features, dtype=bool)
        for column in () if self.missing_features is None else self.missing_features:
            may_miss[self._column(column)] = True
        return Terms(
            float(self.epsilon),
            np.inf if self.total_epsilon is None else float(self.total_epsilon),
            float(self.removal_epsilon),
            int(self.n_estimators),
            max(1, int(np.ceil(self.max_samples * self.n_estimators - ROUNDING))),
            int(self.max_depth),
            int.from_bytes(digest(key, b"trees")[:8], "little"),
            n_categories,
            may_miss,
        )

    def _column(self, column: Any) -> int:
        """Return the number of a column that is given by number or name."""
        names = list(self.__dict__.get("feature_names_in_", ()))
        if column in names:
            return names.index(column)
        if isinstance(column, int | np.integer) and 0 <= column < self.n_features_in_:
            return int(column)
        raise ValueError(f"{column!r} is neither the number nor the name of a column of X.")

    def _describe(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return public attributes that are declared, or read from the given rows instead."""
        described = {}
        for name, declared in self._declared.items():
            if declared is not None:
                described[name] = declared.copy()
            else:
                read = self._read_bounds if name == "bounds_" else self._read_targets
                described[name] = read(rows)
        described["bounds_"][:, self._terms.n_categories > 0] = 0.0
        return described

    def _read_bounds(self, rows: np.ndarray) -> np.ndarray:
        X = self._samples.X[rows]
        bounds = np.array([np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)], dtype=float)
        return np.nan_to_num(bounds) + 0.0  # of zeros the order of rows decides which sign is left

    def _declared_bounds(self) -> np.ndarray | None:
        if self.bounds is None:
            return None
        return checked_bounds(self.bounds, self.n_features_in_)

    def _warn_of_leak(self, parameter: str) -> None:
        warnings.warn(
            f"{parameter} was not declared and is read from the rows, which epsilon does not "
            f"cover. Pass {parameter}=..., from what is known without looking at the rows.",
            PrivacyLeakWarning,
            stacklevel=6,
        )

    def _grow(self, described: dict[str, Any]) -> PrivateTrees:
        terms, (low, high) = self._terms, described["bounds_"]
        return grow(
            terms.seed,
            terms.n_trees,
            terms.depth,
            low,
            high,
            terms.n_categories,
            terms.may_miss,
        )

    def _count(
        self, trees: PrivateTrees, described: dict[str, Any], rows: np.ndarray
    ) -> np.ndarray:
        """Count rows in leaves, shape (n_trees, n_leaves, n_kinds)."""
        terms, samples = self._terms, self._samples
        n_positions = trees.n_trees * trees.n_leaves
        first = np.arange(trees.n_trees, dtype=np.int64) * trees.n_leaves
        total: Any = 0
        for start in range(0, rows.size, BLOCK):
            block = rows[start : start + BLOCK]
            positions = trees.leaves(samples.X[block]) + first
            if terms.n_per_row < terms.n_trees:
                hashes = hash_rows_for(terms.seed, "trees of rows", samples.id_hashes()[block])
                chosen = trees_of_rows(hashes, terms.n_trees, terms.n_per_row)
                positions = np.take_along_axis(positions, chosen.astype(np.intp), axis=1)
            total = total + self._row_counts(described, block, positions, n_positions)
        return total.reshape(trees.n_trees, trees.n_leaves, -1)

    def _publish(
        self, described: dict[str, Any], trees: PrivateTrees, counts: np.ndarray, n_releases: int
    ) -> dict[str, Any]:
        """Add noise to the counts; return the attributes of the release.

        The noise is a function of the key and of all that it is added to. So the same counts have
        the same noise, which tells nothing new, and others have independent noise.
        """
        terms = self._terms
        if terms.n_releases(n_releases - 1) < 1:
            spent = (n_releases - 1) * terms.epsilon
            raise BudgetExhaustedError(
                f"Another release costs epsilon={terms.epsilon:.4g}; of "
                f"total_epsilon={terms.total_epsilon:.4g} {spent:.4g} is spent. Nothing was "
                "changed; fit a model with a larger total_epsilon, or a removal_epsilon."
            )
        rate = terms.epsilon / (terms.n_per_row * self._unit)
        parts = [trees.features, trees.thresholds, trees.missing_right, trees.category_right]
        purpose = digest(
            repr((rate, counts.shape)).encode(),
            repr([value.tolist() for value in described.values()]).encode(),
            *[part.tobytes() for part in (counts, *parts)],
        )
        noise = secret_geometric(self._seed, purpose, counts.size, rate).reshape(counts.shape)
        released = (counts + noise) / self._unit
        scores, base = self._scores(described, released, terms.n_per_row / terms.epsilon)
        return {
            "noisy_counts_": released,
            "leaf_scores_": scores,
            "base_scores_": base,
            "n_releases_": n_releases,
            "_n_pending": 0,
        }

    def _unlearn(self, rows: np.ndarray) -> Removal:
        terms = self._terms
        kept = self._samples.slots_without(rows)
        described = self._describe(kept)
        same = all(np.array_equal(v, self.__dict__[name]) for name, v in described.items())
        trees = self.trees_
        if same:
            counts = self._counts - self._count(trees, described, rows)
        else:
            trees = self._grow(described)
            counts = self._count(trees, described, kept)
        attributes: dict[str, Any] = {"_counts": counts}
        if not same:
            attributes |= described | {"trees_": trees}
        n_pending = self._n_pending + rows.size
        if same and n_pending <= terms.n_pending:
            attributes["_n_pending"] = n_pending
        else:
            n_pending = 0
            attributes |= self._publish(described, trees, counts, self.n_releases_ + 1)
        return Removal(
            attributes,
            self._certificate(n_pending),
            n_refitted=0 if same else terms.n_trees,
            n_parts=terms.n_trees,
            part="tree",
            n_passes=0.0 if same else kept.size / self._samples.n_samples,
        )

    def _certificate(self, n_pending: int) -> Guarantee:
        tags = self._unlearning_tags
        return Guarantee(
            tags.kind,
            tags.scope,
            epsilon=n_pending * self._terms.epsilon,
            delta=0.0,
            assumptions=self._assumptions(),
        )

    def _static_guarantee(self) -> Guarantee:
        return self._certificate(self._n_pending)

    def _assumptions(self) -> str:
        return FIXED_REQUESTS if self._unlearning_tags.scope == "output" else ANY_REQUEST

    def _adopt(self, fresh: Any) -> list[Replacement]:
        """Go on with the account where a pipeline refits."""
        if fresh._terms.n_releases(self.n_releases_) < 1:
            raise BudgetExhaustedError("total_epsilon does not cover another release.")
        fresh.n_releases_ += self.n_releases_
        return super()._adopt(fresh)

    def release(self) -> Self:
        """Publish the counts anew if rows were removed since the last release.

        Only needed with a `removal_epsilon`, and costs `epsilon` of the budget.

        Returns
        -------
        self : object
            The model, whose release owes nothing to removed rows.

        Raises
        ------
        BudgetExhaustedError
            If `total_epsilon` does not cover it.
        """
        with self._check_samples().lock:
            if self._n_pending:
                described = self._describe(self._samples.slots())
                published = self._publish(
                    described, self.trees_, self._counts, self.n_releases_ + 1
                )
                commit([Replacement(self, published, NO_ROWS)])
        return self

    @property
    def budget_spent_(self) -> float:
        """Epsilon of all releases since `fit` together, of any row in all of them."""
        self._check_account()
        return self.n_releases_ * self._terms.epsilon

    @property
    def budget_left_(self) -> float:
        """What is left of `total_epsilon`; infinite without one."""
        self._check_account()
        return max(self._terms.total_epsilon - self.budget_spent_, 0.0)

    @property
    def requests_until_refit_(self) -> float:
        """How many more requests for one row each the budget covers; infinite without one."""
        self._check_account()
        per_release = self._terms.n_pending
        releases = self._terms.n_releases(self.n_releases_)
        return per_release - self._n_pending + releases * (per_release + 1)

    def _check_account(self) -> None:
        if "_terms" not in self.__dict__:
            raise AttributeError(f"This {type(self).__name__} keeps no account.")

    def _check_training(self, X: Any, y: Any, **checks: Any) -> tuple[np.ndarray, np.ndarray]:
        return validate_data(
            self,
            X,
            y,
            dtype=[np.float64, np.float32],
            order="C",
            ensure_all_finite="allow-nan",
            **checks,
        )

    def _check_queries(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(
            self,
            X,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            reset=False,
        )

    def _sum_scores(self, X: Any) -> np.ndarray:
        """Add up what leaves say about rows, shape (n_samples, n_scores)."""
        X = self._check_queries(X)
        leaves = self.trees_.leaves(X)
        sums = np.tile(self.base_scores_, (len(leaves), 1))
        for scores, leaf in zip(self.leaf_scores_, leaves.T, strict=True):
            sums += scores[leaf]
        return sums

    @reads_one_version
    def apply(self, X: Any) -> np.ndarray:
        """Find the leaf of each tree that each row falls into.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        leaves : ndarray of shape (n_samples, n_estimators), dtype int32
            Numbers of leaves, from 0 in each tree.
        """
        X = self._check_queries(X)
        return self.trees_.leaves(X)

    def _as_namesake(self, cls: type) -> Any:
        predictor = super()._as_namesake(cls)
        predictor.random_state = None
        predictor.n_releases_ = 1  # a predictor is one of them
        return predictor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = self.random_state is None
        return tags
