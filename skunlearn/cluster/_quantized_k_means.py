"""A k-means that forgets rows exactly."""

from __future__ import annotations

import math
import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval
from skunlearn._kernels.counts import to_floats
from skunlearn._kernels.lloyd import nearest
from skunlearn._unlearning.cost import Foretold, UnlearningCost
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.stopwatch import Stopwatch
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Removal, UnlearnerMixin, reads_one_version
from skunlearn.cluster._run import Lattice, Run, Runs
from skunlearn.cluster._sums import add_up, no_sums
from skunlearn.exceptions import NotUnlearnableError

# Exact sums of squares, taken in the unit 2**10, need values below this.
_LARGEST = 2.0**24
_SQUARE_UNIT = 2.0**10


class QuantizedKMeans(
    UnlearnerMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """K-means with centres on a lattice while it iterates, so that it can forget rows exactly.

    Centres are not those of :class:`sklearn.cluster.KMeans`, but its parameters, attributes and
    methods are, and inertia is about as low. As long as no mean crosses into another cell of the
    lattice and no candidate for a seed leaves, a request for k rows with d features costs O(k d c)
    per iteration for c clusters and reads no other row; otherwise the iterations from there on are
    run again.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.

    n_init : int, default=1
        Number of runs from different seeds, of which the one with the least inertia counts.

    max_iter : int, default=300
        Largest number of iterations of a run.

    quantum : float, default=0.5
        Distance between neighbouring points of the lattice along each axis, in units of
        ``s / n_clusters**(1/d)``, where s is the standard deviation of the d features (the root of
        their mean variance, rounded to a power of two): about the size of a cluster. Requests are
        faster with a larger one, inertia is less with a smaller one.

    random_state : int, RandomState instance or None, default=None
        Determines seeds and the position of the lattice.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Means of the clusters of the last iteration, off the lattice.

    labels_ : ndarray of shape (n_samples,)
        Nearest centre of each row held; computed when asked for.

    inertia_ : float
        Sum of the squared distances of the rows held to the nearest centres; computed when asked
        for.

    n_iter_ : int
        Number of iterations of the run that counts.

    spacing_ : float
        Distance between neighbouring points of the lattice along each axis.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    Notes
    -----
    The promise is 'bitwise': every attribute and prediction equals that of a new fit on the
    remaining rows with the same `random_state`. This is Q-k-means of [1]_ with sums in integers and
    with the seeds of greedy k-means++, drawn by a race among the rows that their ids decide. One
    lattice serves all iterations of a run, which end when centres return to where they were. Values
    from 2**24 on are refused. Features far from zero in comparison with their spread should be
    standardized. With many clusters in many dimensions most requests move some mean across an edge
    and cost nearly a new fit.

    References
    ----------
    .. [1] Ginart, Guan, Valiant, Zou: Making AI forget you: data deletion in machine learning,
       NeurIPS 2019, section 4.1 and algorithm 1.

    Examples
    --------
    >>> from skunlearn.cluster import QuantizedKMeans
    >>> X = [[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0], [90.0, 90.0]]
    >>> model = QuantizedKMeans(2, random_state=0)
    >>> model.fit(X, sample_ids=["ann", "bob", "cem", "dan", "eve"]).predict(X)
    array([0, 0, 0, 0, 1], dtype=int32)
    >>> model.unlearn("eve").predict(X[:4])
    array([0, 0, 1, 1], dtype=int32)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "quantum": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_runs", "_sums")
    cluster_centers_: np.ndarray
    _runs: Runs
    _lattice: Lattice

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_init: int = 1,
        max_iter: int = 300,
        quantum: float = 0.5,
        random_state: Any = None,
    ):
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.max_iter = max_iter
        self.quantum = quantum
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> QuantizedKMeans:
        """Find clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted model.

        Raises
        ------
        ValueError
            If there are fewer rows than clusters, or a value is 2**24 or more.
        """
        source = X
        X = self._check_X(X, reset=True)
        if X.shape[0] < self.n_clusters:
            raise ValueError(f"n_samples={X.shape[0]} should be >= n_clusters={self.n_clusters}.")
        if np.abs(X).max() >= _LARGEST:
            raise ValueError(
                f"{type(self).__name__} adds up squares exactly, for which values must be below "
                "2**24 (1.7e7). Rescale X, for example with StandardScaler."
            )
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        self._seed = self._choose_seed(self.random_state)
        rows = self._samples.slots()
        sums = self._add_up(no_sums(1, 2 * X.shape[1]), rows, 1)
        lattice = self._choose_lattice(sums)
        self.__dict__.update(self._attributes(sums, lattice, self._start(lattice, rows)))
        n_found = len(np.unique(self.labels_))
        if n_found < self.n_clusters:
            warnings.warn(
                f"Only {n_found} of the {self.n_clusters} clusters have rows: there may be few "
                "distinct rows, or `quantum` is too large to tell clusters apart.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return self

    def _check_X(self, X: Any, *, reset: bool = False) -> np.ndarray:
        X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], order="C")
        return np.require(X, requirements=["C", "W"])

    def _add_up(self, sums: np.ndarray, rows: np.ndarray, sign: int) -> np.ndarray:
        """Add rows and their squares to exact sums, or take them out."""
        X = self._samples.X[rows].astype(np.float64)
        both = np.concatenate([X, X * X / _SQUARE_UNIT], axis=1)
        return add_up(sums, both, np.zeros(len(X), dtype=np.intp), np.arange(len(X)), sign)

    def _choose_lattice(self, sums: np.ndarray) -> Lattice:
        """Choose the lattice; its spacing is a matter of the rough spread of the rows only."""
        (total,), (n_rows,) = to_floats(sums)
        mean, square = total.reshape(2, -1) / n_rows
        gaps = np.maximum(square * _SQUARE_UNIT - mean * mean, 0.0)
        variance = float(gaps.sum()) / gaps.size
        power = round(math.log2(variance) / 2) if variance else 0
        spacing = self.quantum * 2.0**power / self.n_clusters ** (1 / gaps.size)
        return Lattice(self._seed, spacing, self.n_clusters, self.max_iter)

    def _start(self, lattice: Lattice, rows: np.ndarray) -> Runs:
        samples = self._samples
        return Runs(
            Run.start(number, lattice, samples.X, rows, samples.id_hashes())
            for number in range(self.n_init)
        )

    def _attributes(self, sums: np.ndarray, lattice: Lattice, runs: Runs) -> dict[str, Any]:
        best = min(runs, key=lambda run: run.inertia)
        return {
            "_sums": sums,
            "_runs": runs,
            "_lattice": lattice,
            "cluster_centers_": best.means,
            "n_iter_": len(best.totals),
            "spacing_": lattice.spacing,
        }

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        sums, lattice = self._lattice_without(rows)
        kept = samples.slots_without(rows)
        if lattice == self._lattice and len(self._runs) == self.n_init:
            X, hashes = samples.X, samples.id_hashes()
            runs = Runs(run.without(lattice, X, rows, hashes, kept) for run in self._runs)
            n_refitted = sum(
                new.is_another_than(old) for new, old in zip(runs, self._runs, strict=True)
            )
        else:
            runs = self._start(lattice, kept)
            n_refitted = len(runs)
        attributes = self._attributes(sums, lattice, runs)
        return Removal(attributes, None, n_refitted, len(runs), "run")

    def _lattice_without(self, rows: np.ndarray) -> tuple[np.ndarray, Lattice]:
        """Return the sums by which a lattice is chosen, less some rows, and the lattice."""
        n_remaining = self._samples.n_samples - rows.size
        if n_remaining < self.n_clusters:
            raise NotUnlearnableError(
                f"The request would leave {n_remaining} rows for {self.n_clusters} clusters. "
                "Nothing was changed."
            )
        sums = self._add_up(self._sums, rows, -1)
        return sums, self._choose_lattice(sums)

    def _cost(self, rows: np.ndarray) -> Foretold:
        with Stopwatch() as watch:
            samples, (_, lattice) = self._samples, self._lattice_without(rows)
            if lattice != self._lattice or len(self._runs) != self.n_init:
                return self._cost_of_fit(rows, self.n_init, "run"), None
            hashes, n_kept = samples.id_hashes(), samples.n_samples - rows.size
            n_passes = [
                run.n_passes_without(lattice, samples.X, rows, hashes, n_kept) for run in self._runs
            ]
        share_of_fit = sum(n_passes) / self._n_passes_of_fit()
        cost = UnlearningCost(
            n_parts_touched=int(np.count_nonzero(n_passes)),
            n_parts=len(n_passes),
            part="run",
            n_passes=sum(n_passes) * n_kept / samples.n_samples,
            seconds=watch.seconds + share_of_fit * self._seconds_of_fit(n_kept),
        )
        return cost, None

    def _n_passes_of_fit(self) -> float:
        return sum(run.n_passes for run in self._runs)

    def _nearest(self, X: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return nearest(X, rows, self.cluster_centers_)

    def _nearest_of_rows(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        samples = self.__dict__.get("_samples")
        if samples is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with samples.lock:
            return self._nearest(samples.X, samples.slots())

    @property
    def labels_(self) -> np.ndarray:
        """Nearest centre of each row held, shape (n_samples,), dtype int32."""
        return self._nearest_of_rows("labels_")[0].astype(np.int32)

    @property
    def inertia_(self) -> float:
        """Sum of the squared distances of the rows held to the nearest centres."""
        return float(self._nearest_of_rows("inertia_")[1].sum())

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Find the nearest centre of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int32
            Number of the nearest centre.
        """
        check_is_fitted(self)
        X = self._check_X(X)
        return self._nearest(X, np.arange(len(X)))[0].astype(np.int32)

    @reads_one_version
    def transform(self, X: Any) -> np.ndarray:
        """Compute distances to the centres.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to transform.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            Euclidean distance to each centre.
        """
        check_is_fitted(self)
        X = self._check_X(X)
        return euclidean_distances(X, self.cluster_centers_.astype(X.dtype))

    @reads_one_version
    def score(self, X: Any, y: Any = None) -> float:
        """Compute the negative sum of squared distances to the nearest centres.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : None
            Ignored.

        Returns
        -------
        score : float
            Minus the sum of squared distances to the nearest centre.
        """
        check_is_fitted(self)
        X = self._check_X(X)
        return -float(self._nearest(X, np.arange(len(X)))[1].sum())

    @property
    def _n_features_out(self) -> int:
        return self.cluster_centers_.shape[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
