"""One run of k-means: all that it takes to tell whether other rows would have given another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skunlearn._kernels.counts import to_floats
from skunlearn._kernels.lloyd import nearest, next_centers, take_out
from skunlearn._samples.hashing import derive_seed, mix64
from skunlearn._samples.tables import overwrite
from skunlearn.cluster._seeding import Seeding
from skunlearn.cluster._sums import add_up, add_up_gaps, no_sums, sums_of_gaps


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

    phase : ndarray of shape (n_features,), float64
        Where on each axis the lattice begins, in units of its spacing.

    seeding : Seeding
        How the first centres were chosen.

    path : ndarray of shape (n_iter + 1, n_clusters, n_features), float64
        The seeds, then the centres after each iteration.

    totals : ndarray of shape (n_iter, 3, n_clusters, n_features + 1), int64
        Exact sums of the rows nearest to the centres that each iteration begins with.

    spread : ndarray of shape (3, 1, 2), int64
        Exact sum of the squared distances to the last centres.
    """

    number: int
    phase: np.ndarray
    seeding: Seeding
    path: np.ndarray
    totals: np.ndarray
    spread: np.ndarray

    @property
    def inertia(self) -> float:
        """Sum of the squared distances to the last centres."""
        return float(sums_of_gaps(self.spread)[0, 0])

    @property
    def means(self) -> np.ndarray:
        """Means of the clusters of the last iteration; a cluster without rows keeps its centre."""
        sums, counts = to_floats(self.totals[-1])
        centers = self.path[-1].copy()
        held = counts > 0
        centers[held] = sums[held] / counts[held, np.newaxis]
        return centers

    @property
    def n_passes(self) -> int:
        """How often the run has read its rows."""
        return len(self.seeding.times) + len(self.path)

    @classmethod
    def start(
        cls, number: int, lattice: Lattice, X: np.ndarray, rows: np.ndarray, ids: np.ndarray
    ) -> Run:
        """Run k-means on rows; `ids` are the hashes of the ids of all slots."""
        seeding = Seeding.nothing(X.shape[1])
        seeding = seeding.until(
            lattice.n_clusters, lattice.seed, f"seeds of run {number}", X, rows, ids[rows]
        )
        phase = lattice.phase(number, X.shape[1])
        return cls._go_on(number, phase, lattice, X, rows, seeding, [seeding.seeds()], [])

    @classmethod
    def _go_on(
        cls,
        number: int,
        phase: np.ndarray,
        lattice: Lattice,
        X: np.ndarray,
        rows: np.ndarray,
        seeding: Seeding,
        path: list[np.ndarray],
        totals: list[np.ndarray],
    ) -> Run:
        """Iterate until centres return to where they were, which on a lattice they must."""
        labels = None
        while True:
            if len(path) == len(totals):
                path.append(next_centers(totals[-1], path[-1], lattice.spacing, phase))
            before, (labels, gaps) = labels, nearest(X, rows, path[-1])
            returned = any(np.array_equal(path[-1], centers) for centers in path[:-1])
            if len(totals) == lattice.max_iter or returned:
                spread = add_up_gaps(no_sums(1, 1), gaps[:, np.newaxis])
                return cls(number, phase, seeding, np.stack(path), np.stack(totals), spread)
            if before is None:
                totals.append(add_up(no_sums(*path[0].shape), X, labels, rows))
            else:
                moved = np.flatnonzero(labels != before)
                sums = add_up(totals[-1], X, before[moved], rows[moved], -1)
                totals.append(add_up(sums, X, labels[moved], rows[moved]))

    def without(
        self, lattice: Lattice, X: np.ndarray, rows: np.ndarray, ids: np.ndarray, kept: np.ndarray
    ) -> Run:
        """Return the run that the rows `kept` give, which are all but `rows`."""
        number, phase, purpose = self.number, self.phase.copy(), f"seeds of run {self.number}"
        seeding = self.seeding.without(lattice.seed, purpose, X, rows, ids[rows], kept.size)
        if seeding.times.size < lattice.n_clusters:
            seeding = seeding.until(lattice.n_clusters, lattice.seed, purpose, X, kept, ids[kept])
            seeds = seeding.seeds()
            if not np.array_equal(seeds, self.path[0]):
                return self._go_on(number, phase, lattice, X, kept, seeding, [seeds], [])
        totals, n_valid = take_out(self.path, self.totals, X, rows, lattice.spacing, phase)
        if n_valid < len(self.path):
            path = list(self.path[:n_valid])
            sums = list(totals[:n_valid])
            return self._go_on(number, phase, lattice, X, kept, seeding, path, sums)
        gaps = nearest(X, rows, self.path[-1])[1]
        spread = add_up_gaps(self.spread, gaps[:, np.newaxis], sign=-1)
        return Run(number, phase, seeding, self.path.copy(), totals, spread)

    def is_another_than(self, former: Run) -> bool:
        """Tell whether rows that stay were read to make this run from a former one."""
        return not (
            np.array_equal(self.path, former.path)
            and np.array_equal(self.seeding.times, former.seeding.times)
        )

    def n_passes_without(
        self, lattice: Lattice, X: np.ndarray, rows: np.ndarray, ids: np.ndarray, n_kept: int
    ) -> int:
        """Estimate how often :meth:`without` reads the rows that stay; 0 if the run stays too.

        Seeds that are drawn anew are taken to be the former unless one of these leaves, and the run
        to be as long as before.
        """
        purpose = f"seeds of run {self.number}"
        seeding = self.seeding.without(lattice.seed, purpose, X, rows, ids[rows], n_kept)
        n_rounds = seeding.times.size
        if n_rounds < lattice.n_clusters:
            seed_leaves = (nearest(X, rows, self.path[0])[1] == 0.0).any()
            n_drawn = lattice.n_clusters - max(0, n_rounds - 1)
            return n_drawn + (len(self.path) if seed_leaves else 0)
        n_valid = take_out(self.path, self.totals, X, rows, lattice.spacing, self.phase)[1]
        return int(len(self.path) - n_valid)


class Runs(list[Run]):
    """The runs of a model."""

    def wipe(self) -> None:
        """Overwrite them, when others take their place."""
        for run in self:
            seeding = run.seeding
            overwrite(seeding.times, seeding.candidates, seeding.sums)
            overwrite(run.phase, run.path, run.totals, run.spread)
