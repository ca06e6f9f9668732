"""One run of k-means: all that it takes to tell whether other rows would have given another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skunlearn._column_moments import UNIT_WEIGHTS
from skunlearn._hashing import derive_seed, mix64
from skunlearn._kernels.counts import count_rows, to_floats
from skunlearn._kernels.lloyd import nearest, next_centers, take_out
from skunlearn.cluster._seeding import Race

# Squared distances are summed in this unit: exact sums take terms below 2**40.
_UNIT = 2.0**30


def add_up(
    totals: np.ndarray, X: np.ndarray, labels: np.ndarray, rows: np.ndarray, sign: int = 1
) -> np.ndarray:
    """Add rows to exact sums per label, or take them out; returns new sums."""
    tally = np.zeros((2, totals.shape[1]), dtype=np.int64)
    return count_rows(totals, tally, X, UNIT_WEIGHTS, labels, rows, np.nan, sign)[0]


def no_sums(n_labels: int, n_features: int) -> np.ndarray:
    """Make exact sums of no rows."""
    return np.zeros((3, n_labels, n_features + 1), dtype=np.int64)


def _spread(totals: np.ndarray, gaps: np.ndarray, sign: int = 1) -> np.ndarray:
    """Add squared distances to their exact sum, or take them out."""
    labels = np.zeros(gaps.size, dtype=np.intp)
    return add_up(totals, (gaps / _UNIT)[:, np.newaxis], labels, np.arange(gaps.size), sign)


@dataclass(frozen=True, slots=True)
class Lattice:
    """Where centres may lie, and how long they may take.

    Parameters
    ----------
    seed : int
        Of the model.

    spacing : float
        Distance between neighbouring points along each axis.

    n_clusters : int

    max_iter : int
    """

    seed: int
    spacing: float
    n_clusters: int
    max_iter: int

    def phase(self, run: int, n_features: int) -> np.ndarray:
        """Draw where on each axis the lattice of a run begins, in units of its spacing."""
        key = np.uint64(derive_seed(self.seed, "phase", run))
        bits = mix64(np.arange(n_features, dtype=np.uint64) ^ key)
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True, slots=True)
class Run:
    """Seeds, centres and exact sums of every iteration.

    Parameters
    ----------
    number : int
        Which run it is.

    times : ndarray of shape (n_clusters,), float64
        When the winners of the seeds' races arrived.

    path : ndarray of shape (n_iter + 1, n_clusters, n_features), float64
        The seeds, then the centres after each iteration.

    totals : ndarray of shape (n_iter, 3, n_clusters, n_features + 1), int64
        Exact sums of the rows nearest to the centres that each iteration begins with.

    spread : ndarray of shape (3, 1, 2), int64
        Exact sum of the squared distances to the last centres.
    """

    number: int
    times: np.ndarray
    path: np.ndarray
    totals: np.ndarray
    spread: np.ndarray

    @property
    def inertia(self) -> float:
        """Sum of the squared distances to the last centres."""
        return float(to_floats(self.spread)[0][0, 0] * _UNIT)

    @classmethod
    def start(
        cls,
        number: int,
        lattice: Lattice,
        X: np.ndarray,
        rows: np.ndarray,
        id_hashes: np.ndarray,
        times: np.ndarray,
        seeds: np.ndarray,
    ) -> Run:
        """Run k-means on rows, from the first seeds on; `id_hashes` are those of all slots."""
        race = Race(lattice.seed, number)
        times, seeds = race.seeds(X, rows, id_hashes[rows], lattice.n_clusters, times, seeds)
        return cls._go_on(number, lattice, X, rows, times, [seeds], [])

    @classmethod
    def _go_on(
        cls,
        number: int,
        lattice: Lattice,
        X: np.ndarray,
        rows: np.ndarray,
        times: np.ndarray,
        path: list[np.ndarray],
        totals: list[np.ndarray],
    ) -> Run:
        """Iterate until centres return to where they were, which on a lattice they must."""
        phase = lattice.phase(number, X.shape[1])
        labels = None
        while True:
            if len(path) == len(totals):
                path.append(next_centers(totals[-1], path[-1], lattice.spacing, phase))
            before, (now, gaps) = labels, nearest(X, rows, path[-1].T.copy())
            returned = any(np.array_equal(path[-1], centers) for centers in path[:-1])
            if len(totals) == lattice.max_iter or returned:
                spread = _spread(no_sums(1, 1), gaps)
                return cls(number, times, np.stack(path), np.stack(totals), spread)
            if before is None:
                totals.append(add_up(no_sums(*path[0].shape), X, now, rows))
            else:
                moved = np.flatnonzero(now != before)
                sums = add_up(totals[-1], X, before[moved], rows[moved], -1)
                totals.append(add_up(sums, X, now[moved], rows[moved]))
            labels = now

    def without(
        self,
        lattice: Lattice,
        X: np.ndarray,
        rows: np.ndarray,
        id_hashes: np.ndarray,
        kept: np.ndarray,
    ) -> Run:
        """Return the run that the rows `kept` give, which are all but `rows`."""
        seeds = self.path[0]
        race = Race(lattice.seed, self.number)
        n_rounds = race.rounds_without(X, rows, id_hashes[rows], self.times, seeds)
        if n_rounds < lattice.n_clusters:
            first = self.times[:n_rounds], seeds[:n_rounds]
            return self.start(self.number, lattice, X, kept, id_hashes, *first)
        phase = lattice.phase(self.number, X.shape[1])
        totals, n_valid = take_out(self.path, self.totals, X, rows, lattice.spacing, phase)
        if n_valid < len(self.path):
            return self._go_on(
                self.number,
                lattice,
                X,
                kept,
                self.times.copy(),
                list(self.path[:n_valid]),
                list(totals[:n_valid]),
            )
        gaps = nearest(X, rows, self.path[-1].T.copy())[1]
        spread = _spread(self.spread, gaps, -1)
        return Run(self.number, self.times.copy(), self.path.copy(), totals, spread)


class Runs(list[Run]):
    """The runs of a model."""

    def wipe(self) -> None:
        """Overwrite them, when others take their place."""
        for run in self:
            for array in (run.times, run.path, run.totals, run.spread):
                array.fill(0)
