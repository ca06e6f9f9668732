"""What a request changes in the trees of a forest, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np

from skunlearn._kernels.forest.carry_out import carry_out
from skunlearn._kernels.forest.plan import Plan
from skunlearn._kernels.forest.tree_parts import TRIAL, Table
from skunlearn._kernels.forest.trees import N_CACHES, N_FREE, N_FREE_CACHES, N_NODES, Trees
from skunlearn._unlearning.cost import UnlearningCost

# Room for new nodes and caches, as a share of those in use, made when there is none.
_SPARE = 0.25

# Types of sums over rows for which the kernel that carries out was used.
_READY: set[np.dtype] = set()


@dataclass(frozen=True, slots=True)
class ForestUnlearningCost(UnlearningCost):
    """What a request would take in a forest.

    Parameters
    ----------
    estimator : str, default=""
        Class name of the forest.

    n_ids : int, default=0
        Distinct ids in the request.

    n_rows : int, default=0
        Training rows that it would remove.

    n_parts_touched : int, default=0
        Trees of which a part would grow anew.

    n_parts : int, default=1
        Trees in all.

    part : str, default="model"
        "tree".

    n_passes : float, default=0.0
        `n_rows_rebuilt` in units of the rows held.

    seconds : float, default=0.0
        Estimated wall time: what planning the request took, or what a fit takes.

    steps : tuple of StepReport, default=()
        Empty.

    n_trees : int, default=0
        Trees that hold any of the rows to remove.

    n_nodes_visited : int, default=0
        Nodes that keep their split.

    n_nodes_rebuilt : int, default=0
        Nodes that grow anew.

    n_rows_rebuilt : int, default=0
        Rows in subtrees that grow anew, counted in each tree.

    share_of_fit : float, default=0.0
        `n_rows_rebuilt` as a share of the rows in all trees.
    """

    n_trees: int = 0
    n_nodes_visited: int = 0
    n_nodes_rebuilt: int = 0
    n_rows_rebuilt: int = 0
    share_of_fit: float = 0.0

    @property
    def n_trees_changed(self) -> int:
        """Trees of which a part grows anew: `n_parts_touched`."""
        return self.n_parts_touched


class Change:
    """What a request changes in a forest, and the room that it takes.

    Parameters
    ----------
    trees : Trees
        As they are.
    table : Table
        With the rows that leave or join in it.
    plans : list of Plan
    gone : ndarray of shape (n_slots,), bool
        True for the rows to remove.
    sign : int
        -1 if rows leave, 1 if they join.
    n_rows : int
        How many they are.
    first_leaving : ndarray of shape (n_trees + 1,), int64
        Where each tree's begin, if those of all trees stand one after the other.
    width : int
        How many sums there are over rows; see :func:`count_in`.
    """

    def __init__(
        self,
        trees: Trees,
        table: Table,
        plans: list[Plan],
        gone: np.ndarray,
        sign: int,
        n_rows: int,
        first_leaving: np.ndarray,
        width: int,
    ) -> None:
        self.table = table
        self.plans = plans
        self.gone = gone
        self.sign = sign
        self.n_rows = n_rows
        self.first_leaving = first_leaving
        self._done: list[None] = []
        self.width = width
        n_nodes, n_caches = 0, 0
        for part in plans:
            n_nodes += part.grown.nodes.size
            n_caches += len(part.grown.trials) + len(part.fresh_trials)
        self.trees = _with_room(trees, n_nodes, n_caches)
        self._get_ready()

    @property
    def n_trees_changed(self) -> int:
        """Number of trees of which a part grows anew."""
        return len({tree for part in self.plans for tree in part.grafts["tree"].tolist()})

    @property
    def n_rows_rebuilt(self) -> int:
        """Rows in subtrees that grow anew, counted in each tree."""
        return sum(part.rows.size for part in self.plans)

    def cost(self, n_samples: int, seconds: float) -> ForestUnlearningCost:
        """Return what the change takes, given how many rows are held and the estimated time."""
        n_rebuilt = self.n_rows_rebuilt
        return ForestUnlearningCost(
            n_parts_touched=self.n_trees_changed,
            n_parts=self.first_leaving.size - 1,
            part="tree",
            n_passes=n_rebuilt / n_samples,
            seconds=seconds,
            n_trees=int(np.count_nonzero(np.diff(self.first_leaving))),
            n_nodes_visited=sum(part.visits.size for part in self.plans),
            n_nodes_rebuilt=sum(part.grown.nodes.size for part in self.plans),
            n_rows_rebuilt=n_rebuilt,
            share_of_fit=n_rebuilt / max(1, int(self.trees.first_row[-1])),
        )

    def carry_out(self) -> None:
        """Change the trees, while nobody reads them; what was done is not done again."""
        arguments = [self._arguments(part) for part in self.plans[len(self._done) :]]
        # One call of compiled code, within which no signal is handled, so that it is known which
        # parts are done.
        self._done.extend(starmap(carry_out, arguments))

    def _arguments(self, part: Plan) -> tuple[Any, ...]:
        n_features, n_nodes = self.trees.trials.shape[1], part.grown.nodes.size
        nothing = np.zeros(n_features, dtype=TRIAL)
        sizes = (self.width, self.trees.nodes.size, n_nodes)
        space = map(np.empty, sizes, (np.int64, np.int32, np.int32))
        return (self.table, self.trees, part, self.gone, self.sign, nothing, *space)

    def _get_ready(self) -> None:
        """Have the kernel compiled that carries out, which is no time to wait for the compiler."""
        kind = self.trees.stats.dtype
        if not is_ready(kind):
            for part in self.plans[:1]:
                nothing = part._replace(visits=part.visits[:0], grafts=part.grafts[:0])
                carry_out(*self._arguments(nothing))
            _READY.add(kind)


def is_ready(kind: np.dtype) -> bool:
    """Tell whether all kernels that a request needs were used with sums over rows of a type."""
    return kind in _READY


def _with_room(trees: Trees, n_nodes: int, n_caches: int) -> Trees:
    """Return trees with room for new nodes and caches; others if there was none."""
    used, changed = trees.used.tolist(), {}
    spare = trees.nodes.size - used[N_NODES] + 2 * used[N_FREE]
    if n_nodes > spare:
        size = trees.nodes.size + n_nodes + int(_SPARE * trees.nodes.size)
        for name in ("nodes", "extents", "stats"):
            changed[name] = _longer(getattr(trees, name), size)
        changed["free"] = _longer(trees.free, size // 2 + 1)
    if n_caches > len(trees.trials) - used[N_CACHES] + used[N_FREE_CACHES]:
        size = len(trees.trials) + n_caches + int(_SPARE * len(trees.trials))
        for name in ("trials", "sums", "rivals", "free_caches"):
            changed[name] = _longer(getattr(trees, name), size)
    return trees._replace(**changed) if changed else trees


def _longer(array: np.ndarray, size: int) -> np.ndarray:
    longer = np.zeros((size, *array.shape[1:]), dtype=array.dtype)
    longer[: len(array)] = array
    return longer
