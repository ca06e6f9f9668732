"""Sharded, isolated training and aggregation over any scikit-learn estimator."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from contextlib import closing
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
)

from skunlearn._compat import HasMethods, Interval, callback_context
from skunlearn._samples.hashing import hash_rows_for, set_seeds
from skunlearn._samples.ids import check_sample_ids
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import as_table, like, native, take
from skunlearn._unlearning.cost import Foretold, UnlearningCost
from skunlearn._unlearning.stopwatch import Seconds, Stopwatch
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_sample_weight, validate_data
from skunlearn.base import Removal, UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError

_NO_WEIGHT = "Only rows of weight zero would be left."
_ONE_DIMENSIONAL = (
    "Expected 2D array, got 1D array instead: {} takes X of shape (n_samples, n_features). "
    "Reshape your data either using array.reshape(-1, 1) if your data has a single feature or "
    "array.reshape(1, -1) if it contains a single sample."
)


class BaseSISA(UnlearnerMixin, metaclass=ABCMeta):
    """Sharding, fitting and refitting; a subclass adds its targets and how predictions are joined.

    A shard's estimator is a pure function of the model's seed, the shard's number and its rows in
    training order, so that refitting the shards of the removed rows is what retraining would do.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_shards": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }
    _unlearning_tags = UnlearningTags("bitwise")

    n_shards: int
    n_jobs: int | None
    random_state: Any
    estimator_: Any
    estimators_: list[Any]
    _times: list[Seconds]  # of each estimator's fit, per row
    n_samples_per_shard_: np.ndarray
    _seed: int

    @abstractmethod
    def _base(self) -> Any:
        """Return the unfitted estimator of which every shard gets a clone."""

    @abstractmethod
    def _check_base(self, base: Any) -> None:
        """Raise ValueError where such estimators cannot be joined."""

    @abstractmethod
    def _check_targets(self, y: Any, base: Any) -> np.ndarray:
        """Validate y."""

    def _describe(self, y: np.ndarray) -> dict[str, Any]:
        """Return fitted attributes that summarise the targets."""
        return {}

    def _describe_without(self, y: np.ndarray) -> dict[str, Any]:
        """Return what `_describe` would if the targets `y` were not there."""
        return {}

    def _for_shard(self, base: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Return an unfitted estimator for these targets, and the weights that its fit takes."""
        return clone(base), sample_weight

    def _asked(self) -> str:
        """Name the method of the shards' estimators that predictions are made of."""
        return "predict"

    def _fit(self, X: Any, y: Any, sample_weight: Any, sample_ids: Any) -> Self:
        validate_data(self, X, y, skip_check_array=True)
        check_consistent_length(X, y)
        base = clone(self._base())
        self._check_base(base)
        table = as_table(X)
        self._check_table(table, base)
        y = self._check_targets(y, base)
        samples = SampleStore(
            table,
            np.array(y, order="C", copy=True),
            self._check_weights(sample_weight, X, base),
            check_sample_ids(sample_ids, X, table.shape[0]),
        )
        seed = self._choose_seed(self.random_state)
        shard_of = _shards(seed, self.n_shards, samples.id_hashes())
        counted = _counted(samples, samples.slots())
        counts = np.bincount(shard_of[counted], minlength=self.n_shards)
        if not counts.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        rows = _by_shard(counted, shard_of, np.flatnonzero(counts))
        context = self._init_callback_context(max_subtasks=len(rows))
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        fitted = self._fit_shards(base, seed, samples, rows)
        self._hold(samples)
        self.__dict__.update(
            {
                "_seed": seed,
                "estimator_": base,
                "estimators_": [estimator for estimator, _ in fitted.values()],
                "n_samples_per_shard_": counts,
                "_times": [seconds for _, seconds in fitted.values()],
                **self._describe(y),
            }
        )
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def _check_table(self, table: Any, base: Any) -> None:
        """Refuse what any estimator would: some shards fit none that looks at the rows."""
        name = type(self).__name__
        if isinstance(table, np.ndarray) and table.ndim == 1 and table.dtype.kind in "iufbc":
            raise ValueError(_ONE_DIMENSIONAL.format(name))
        for size, what in zip(table.shape, ("sample(s)", "feature(s)"), strict=False):
            if size == 0:
                raise ValueError(
                    f"Found array with 0 {what} (shape={table.shape}) while a minimum of 1 is "
                    f"required by {name}."
                )
        _check_finite(table, base)

    def _check_queries(self, X: Any) -> None:
        """Check rows to predict for against the training rows; estimators check the rest."""
        check_is_fitted(self)
        if hasattr(self, "n_features_in_") and getattr(X, "ndim", 2) == 1:
            raise ValueError(_ONE_DIMENSIONAL.format(type(self).__name__))
        validate_data(self, X, reset=False, skip_check_array=True)
        _check_finite(X, self.estimator_)

    def _check_weights(self, sample_weight: Any, X: Any, base: Any) -> np.ndarray | None:
        if sample_weight is None:
            return None
        if not has_fit_parameter(base, "sample_weight"):
            raise ValueError(
                f"{type(base).__name__}.fit takes no sample_weight, so {type(self).__name__} over "
                "it takes none either."
            )
        # With negative ones a tree may divide by zero, and a mean of votes be no probability.
        return np.array(check_sample_weight(sample_weight, X, ensure_non_negative=True), copy=True)

    def _fit_shards(
        self,
        base: Any,
        seed: int,
        samples: SampleStore,
        rows: dict[int, np.ndarray],
        *,
        unlearning: bool = False,
    ) -> dict[int, tuple[Any, Seconds]]:
        """Fit the estimators of some shards on the given rows, by number of the shard.

        With each comes what fitting took per row.
        """

        def job(shard: int) -> Any:
            X, y, weights = samples.take(rows[shard])
            estimator, weights = self._for_shard(base, y, weights)
            set_seeds(estimator, seed, "estimator", shard)
            where = f"shard {shard}, {rows[shard].size} rows"
            return delayed(_fit_one)(estimator, X, y, weights, self._asked(), where)

        # No memory maps: rows would lie on disk, and a base would see arrays it cannot write to.
        parallel = Parallel(n_jobs=self.n_jobs, return_as="generator", max_nbytes=None)
        context = callback_context(self)
        fitted = {}
        with closing(parallel(map(job, rows))) as results:
            for shard in rows:
                task = context.subcontext(task_name="shard").call_on_fit_task_begin(estimator=self)
                try:
                    fitted[shard] = next(results)
                except ValueError as error:
                    if not unlearning:
                        raise
                    raise NotUnlearnableError(
                        f"{type(base).__name__} cannot be fitted on the {len(rows[shard])} rows "
                        f"that shard {shard} would be left with: {error}"
                    ) from error
                task.call_on_fit_task_end(estimator=self)
        return fitted

    def _shards_without(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each slot's shard, the remaining rows per shard, and the shards to refit."""
        n_shards = self.n_samples_per_shard_.size
        shard_of = _shards(self._seed, n_shards, self._samples.id_hashes())
        gone = np.bincount(shard_of[_counted(self._samples, rows)], minlength=n_shards)
        left = self.n_samples_per_shard_ - gone
        return shard_of, left, np.flatnonzero((gone > 0) & (left > 0))

    def _n_subtasks(self, rows: np.ndarray) -> int:
        return self._shards_without(rows)[2].size

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        shard_of, left, refit = self._shards_without(rows)
        if not left.any():
            raise NotUnlearnableError(_NO_WEIGHT)
        kept = _counted(samples, samples.slots_without(rows))
        fitted: dict[int, tuple[Any, Seconds]] = dict(
            zip(
                np.flatnonzero(self.n_samples_per_shard_).tolist(),
                zip(self.estimators_, self._times, strict=True),
                strict=True,
            )
        )
        fitted |= self._fit_shards(
            self.estimator_, self._seed, samples, _by_shard(kept, shard_of, refit), unlearning=True
        )
        held = [fitted[shard] for shard in np.flatnonzero(left).tolist()]
        return Removal(
            {
                "estimators_": [estimator for estimator, _ in held],
                "n_samples_per_shard_": left,
                "_times": [seconds for _, seconds in held],
                **self._describe_without(take(samples.y, rows)),
            },
            n_refitted=refit.size,
            n_parts=len(held),
            part="shard",
            n_passes=float(left[refit].sum() / samples.n_samples),
        )

    def _cost(self, rows: np.ndarray) -> Foretold:
        _, left, refit = self._shards_without(rows)
        if not left.any():
            raise NotUnlearnableError(_NO_WEIGHT)
        times = np.zeros(left.size)
        times[self.n_samples_per_shard_ > 0] = self._times
        n_at_once = min(effective_n_jobs(self.n_jobs), refit.size) or 1
        cost = UnlearningCost(
            n_parts_touched=refit.size,
            n_parts=int(np.count_nonzero(left)),
            part="shard",
            n_passes=float(left[refit].sum() / self._samples.n_samples),
            seconds=float(times[refit] @ left[refit]) / n_at_once,
        )
        return cost, None

    def _seconds_of_fit(self, n_rows: int) -> float:
        sizes = self.n_samples_per_shard_[self.n_samples_per_shard_ > 0]
        return float(np.average(self._times, weights=sizes)) * n_rows

    def _as_stored(self, X: Any) -> Any:
        self._check_queries(X)
        return like(self._samples.X, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        base = get_tags(self._base())
        tags.input_tags = base.input_tags
        tags.target_tags.positive_only = base.target_tags.positive_only
        tags.non_deterministic = base.non_deterministic
        return tags


def _check_finite(X: Any, base: Any) -> None:
    """Refuse missing and infinite values in an array where the estimator says that it does.

    The tags of an estimator around others do not tell, so it is left to find out by itself.
    """
    nested = any(hasattr(value, "fit") for value in base.get_params(deep=True).values())
    X = sparse.csr_array(X).data if sparse.issparse(X) else X
    if not nested and isinstance(X, np.ndarray):
        assert_all_finite(X, allow_nan=get_tags(base).input_tags.allow_nan, input_name="X")


def _shards(seed: int, n_shards: int, id_hashes: np.ndarray) -> np.ndarray:
    """Choose the shard of each row from its id alone."""
    return (hash_rows_for(seed, "shard", id_hashes) % np.uint64(n_shards)).astype(np.intp)


def _counted(samples: SampleStore, rows: np.ndarray) -> np.ndarray:
    """Return those of the rows that count: a row of weight zero is as good as absent."""
    weights = samples.sample_weight
    return rows if weights is None else rows[weights[rows] != 0]


def _by_shard(rows: np.ndarray, shard_of: np.ndarray, shards: np.ndarray) -> dict[int, np.ndarray]:
    """Divide rows among shards, keeping their order."""
    return {int(shard): rows[shard_of[rows] == shard] for shard in shards}


def _fit_one(
    estimator: Any, X: Any, y: np.ndarray, sample_weight: Any, method: str, where: str
) -> tuple[Any, Seconds]:
    """Fit one shard's estimator, perhaps in another process; returns the time per row as well."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    try:
        with Stopwatch() as watch:
            fitted = estimator.fit(native(X), y, **weights)
        _try_out(fitted, native(take(X, np.array([0]))), method)
        return fitted, Seconds(watch.seconds / y.shape[0])
    except Exception as error:
        error.add_note(f"While fitting {where}.")
        raise


def _try_out(estimator: Any, X: Any, method: str) -> None:
    """Raise ValueError where an estimator cannot tell of rows that it was fitted on.

    One of many would make all predictions NaN, of which a vote makes the first class.
    """
    with np.errstate(all="ignore"):
        outputs = np.asarray(getattr(estimator, method)(X))
    if outputs.dtype.kind == "f" and not np.isfinite(outputs).all():
        raise ValueError(
            f"{method} of {type(estimator).__name__} is not finite for a row that it was fitted "
            "on. Do the rows of this shard vary?"
        )
