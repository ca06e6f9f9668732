"""Numba kernels: what a request changes in the trees of a forest, worked out beforehand.

Nothing is touched: along the paths of the rows that leave or join, each node chooses its split
anew, as if they had never, or always, been there. Where the choice stays, the node is merely
visited; where it changes, a new subtree is grown.
"""

from typing import NamedTuple

import numpy as np

from skunlearn._kernels.forest.grow import (
    CACHED,
    GRAFT,
    NONE,
    SETTLED,
    Grown,
    copy_into,
    divide,
    grow,
    is_decided,
)
from skunlearn._kernels.forest.splits import (
    choose_split,
    empty_arrays,
    is_stale,
    put_in_order,
    space_for,
)
from skunlearn._kernels.forest.tree_parts import (
    NUMBERS,
    TRIAL,
    Rules,
    Table,
    add_rows,
    child_key,
    count_in,
    interval_of,
    lattice_of,
    position_in_order,
)
from skunlearn._kernels.forest.trees import Trees
from skunlearn._kernels.lean import entry, part, spelled_out

# A node on the path of the rows that keeps its split: which rows, in the order of `leaving`;
# by which feature it divides from now on; the position of new sums, KEEP, or a mark for its cache;
# the merit that no other split exceeds, if it keeps its sums.
VISIT = np.dtype(
    [
        ("rival", np.float64),
        ("node", np.int32),
        ("tree", np.int32),
        ("first", np.int32),
        ("last", np.int32),
        ("feature", np.int32),
        ("fresh", np.int32),
    ],
    align=True,
)
KEEP = -3

# How much better than all others a split has to be, in terms of its merit, for rounding errors to
# be of no account: those of the merits themselves, and of the bounds, which grow with each request.
_ROUNDING = 1e-8

# A node to go to: which of the leaving rows go there.
STEP = np.dtype(
    [
        ("key", np.uint64),
        ("node", np.int32),
        ("depth", np.int32),
        ("first", np.int32),
        ("last", np.int32),
    ],
    align=True,
)

# Room for what is found: visits and rows of new subtrees for each leaving row, and at least so many
# rows and new caches.
_VISITS, _ROWS_EACH, _ROWS, _CACHES = 32, 128, 1 << 14, 256


class Plan(NamedTuple):
    """What a request does to some trees.

    Parameters
    ----------
    visits : ndarray of shape (n_visits,), VISIT
    leaving : ndarray of shape (n_leaving,), int32
        Rows that leave or join, tree after tree, as the nodes divide them.
    fresh_trials, fresh_sums : ndarray
        New caches of visited nodes.
    grafts : ndarray of shape (n_grafts,), GRAFT
    rows : ndarray of shape (n_rows,), int32
        Of the new subtrees.
    grown : Grown
        The new subtrees.
    """

    visits: np.ndarray
    leaving: np.ndarray
    fresh_trials: np.ndarray
    fresh_sums: np.ndarray
    grafts: np.ndarray
    rows: np.ndarray
    grown: Grown


class Found(NamedTuple):
    """Room for what is found along the paths of rows; the names are those of :class:`Plan`."""

    visits: np.ndarray
    fresh_trials: np.ndarray
    fresh_sums: np.ndarray
    grafts: np.ndarray
    rows: np.ndarray


def plan(
    table: Table,
    rules: Rules,
    trees: Trees,
    sign: int,
    some: slice,
    first_leaving: np.ndarray,
    leaving: np.ndarray,
    gone: np.ndarray,
    like: np.ndarray,
) -> Plan:
    """Plan how rows leave some trees, or join them.

    Parameters
    ----------
    table : Table
    rules : Rules
    trees : Trees
        Only read.
    sign : int
        -1 if they leave, 1 if they join.
    some : slice
        Which trees.
    first_leaving : ndarray of shape (n_trees + 1,), int64
        Where each tree's part of `leaving` begins.
    leaving : ndarray of shape (n_leaving,), int32
        Slots of the rows that leave or join each of them; reordered.
    gone : ndarray of shape (n_slots,), bool
        True for rows that leave.
    like : ndarray of shape (width,)
        As wide as sums over rows, and of their type.

    Returns
    -------
    plan : Plan
    """
    n = int(first_leaving[some.stop] - first_leaving[some.start])
    ends = trees.first_row[some.start : some.stop + 1]
    longest = int((ends[1:] - ends[:-1]).max()) + n
    space = space_for(longest, table.is_categorical.size, rules, like)
    mine, stack, *room = empty_arrays(
        (
            longest,
            leaving.size + 2,
            _VISITS * n,
            (_CACHES, rules.max_features),
            (_CACHES, space.sums.size),
            n,
            _ROWS + _ROWS_EACH * n,
        ),
        (np.int32, STEP, VISIT, TRIAL, like.dtype, GRAFT, np.int32),
    )
    found = Found(*room)
    done, needed = np.zeros((2, 6), dtype=np.int64)
    done[0] = some.start
    while not walk(
        table, rules, trees, sign, some.stop, first_leaving, leaving, gone,
        space, mine, stack, found, done, needed,
    ):  # fmt: skip
        found = _with_room(found, needed)
    _, n_visits, n_fresh, n_grafts, n_rows, longest = done.tolist()
    rows, grafts = found.rows[:n_rows], found.grafts[:n_grafts]
    return Plan(
        found.visits[:n_visits],
        leaving,
        found.fresh_trials[:n_fresh],
        found.fresh_sums[:n_fresh],
        grafts,
        rows,
        grow(table, rules, rows, grafts, longest, space),
    )


def _with_room(found: Found, needed: np.ndarray) -> Found:
    """Copy what is found to where there is room for twice what is needed."""
    _, n_visits, n_fresh, n_grafts, n_rows, _ = (2 * needed).tolist()
    return Found(
        *(
            np.concatenate(
                [array, np.empty((max(0, n - len(array)), *array.shape[1:]), array.dtype)]
            )
            for array, n in zip(found, (n_visits, n_fresh, n_fresh, n_grafts, n_rows), strict=True)
        )
    )


@part
def take_from_cache(table, row, trials, sums, width, n_grid):
    """Take a row out of a node's sums, of no use then for a feature whose range changes."""
    labels, targets = table.labels, table.targets
    weights, scales = table.weights, table.scales
    for u in range(trials.size):
        trial = trials[u]
        f, low, high = trial.feature, trial.low, trial.high
        if f < 0:
            break
        at = u * (n_grid + 2) * width
        v = table.values[row * table.row_step + f * table.column_step]
        if v != v:
            trial.n_missing -= 1
            at += (n_grid + 1) * width
        else:
            if table.is_categorical[f]:
                v = np.float32(position_in_order(v, trial.key & NUMBERS))
            trial.n_low -= v == low
            trial.n_high -= v == high
            if low < high:
                step, shift, first = lattice_of(low, high, trial.key, n_grid)
                at += interval_of(v, 1.0 / step, shift, first) * width
        count_in(sums, at, width, row, labels, targets, weights, scales, np.int64(-1))


@part
def kept_rows(rows, gone, out):
    """Collect the rows of a segment that stay; returns how many there are."""
    n = 0
    for row in rows:
        if row >= 0 and not (gone.size and gone[row]):
            out[n] = row
            n += 1
    return n


@spelled_out
def know_without(table, rules, trees, cache, leaving, space):
    """Get a node's trials and their sums from its cache, less rows.

    Parameters
    ----------
    table : Table
    rules : Rules
    trees : Trees
    cache : int
        Position of the node's cache, or none.
    leaving : ndarray, int32
    space : Space
        The trials and sums are left in it.

    Returns
    -------
    known : bool
        Whether there is a cache.
    stale : bool
        Whether there are trials whose sums are of no more use.
    """
    known, stale = cache >= 0, False
    if known:
        trials = space.trials
        for u in range(trials.size):
            trials[u] = trees.trials[cache, u]
        for i in range(space.sums.size):
            space.sums[i] = trees.sums[cache, i]
        for row in leaving:
            take_from_cache(table, row, trials, space.sums, space.total.size, rules.n_candidates)
        for u in range(trials.size):
            stale |= trials[u].feature >= 0 and is_stale(trials[u])
    return known, stale


@part
def is_ahead(table, rules, trees, node, cache, leaving, n_to_left, total, to_left):
    """Tell whether a node's split is certain to be the best without rows, its sums unread.

    The merit of any split changes by no more than the weight of a row that leaves: Gini's is the
    sum over both sides of ``sum(a ** 2) / sum(a)``, whose derivative by each weight of a class is
    between -1 and 1.

    Parameters
    ----------
    table : Table
    rules : Rules
    trees : Trees
    node, cache : int
        A node that has a cache.
    leaving : ndarray, int32
        First those that go left.
    n_to_left : int
    total : ndarray, int64
        The node's sums without them.
    to_left : ndarray of shape (width,), int64
        Working space.

    Returns
    -------
    certain : bool
        False as well if the features to try, or their thresholds, may be others.
    feature : int
        By which it divides then: of sides without missing values, these go to the larger.
    rival : float
        Merit that no other split exceeds.
    """
    here, rival = trees.nodes[node], trees.rivals[cache]
    feature, left = np.int64(here.feature), np.int64(here.left)
    if rival == np.inf:
        return False, feature, rival
    n_left = trees.extents[left].size - n_to_left
    n_right = trees.extents[left + 1].size - (leaving.size - n_to_left)
    if min(n_left, n_right) < rules.min_samples_leaf:
        return False, feature, rival
    for k in range(total.size):
        to_left[k] = 0
    for i in range(leaving.size):
        code = table.labels[leaving[i]]
        rival += table.class_weight[code]
        to_left[code] += i < n_to_left
    a, b, squares_a, squares_b = 0.0, 0.0, 0.0, 0.0
    for k in range(total.size):
        weight, n = table.class_weight[k], trees.stats[left, k] - to_left[k]
        a += weight * n
        b += weight * (total[k] - n)
        squares_a += (weight * n) ** 2
        squares_b += (weight * (total[k] - n)) ** 2
    if not (squares_a / a + squares_b / b) * (1.0 - _ROUNDING) > rival:
        return False, feature, rival
    by = feature if feature >= 0 else ~feature
    for u in range(rules.max_features):
        trial = trees.trials[cache, u]
        f, low, high, number = trial.feature, trial.low, trial.high, trial.key & NUMBERS
        if f < 0:
            break
        n_low, n_high, n_missing = trial.n_low, trial.n_high, trial.n_missing
        for row in leaving:
            v = table.values[row * table.row_step + f * table.column_step]
            if table.is_categorical[f] and v == v:
                v = np.float32(position_in_order(v, number))
            n_low -= v == low
            n_high -= v == high
            n_missing -= v != v
        if min(n_low, n_high) <= 0 or (low == high and n_missing == 0):
            return False, feature, rival
        if f == by and n_missing == 0:
            feature = ~by if n_left >= n_right else by
    return True, feature, rival


@spelled_out
def stays(here, is_leaf, found, feature, threshold, has_missing):
    """Tell whether a choice is the split that a node has, or none where it has none."""
    same = threshold == here.threshold and (
        feature == here.feature or (feature == ~here.feature and not has_missing)
    )
    return found != is_leaf and (same or not found)


@entry
def walk(
    table, rules, trees, sign, stop, first_leaving, leaving, gone,
    space, mine, stack, found, done, needed,
):  # fmt: skip
    """Go down the paths of the rows that leave, or join.

    Parameters
    ----------
    table, rules, trees, sign, first_leaving, leaving, gone
        As for :func:`plan`.
    stop : int
        Up to which tree.
    space : Space
    mine : ndarray of shape (n_most,), int32
        Like the space for as many rows as any of the trees has.
    stack : ndarray of shape (n_leaving + 2,), STEP
    found : Found
        What is found is left in it.
    done : ndarray of shape (6,), int64
        The next tree; how many visits, new caches, grafts and rows of theirs there are, and of one
        graft at most; updated.
    needed : ndarray of shape (6,), int64
        Receives how many there were with one more tree if there was no room for it.

    Returns
    -------
    all_done : bool
        False if there was no room; with more, another call goes on.
    """
    width, n_sums, total = space.total.size, trees.stats.shape[1], space.total
    visits, grafts, rows = found.visits, found.grafts, found.rows
    put_in_order(space)
    for tree in range(done[0], stop):
        n_visits, n_fresh, n_grafts, n_rows = done[1], done[2], done[3], done[4]
        longest = done[5]
        base = trees.first_row[tree]
        stack[0].key, stack[0].node, stack[0].depth = trees.keys[tree], trees.roots[tree], 0
        stack[0].first, stack[0].last = first_leaving[tree], first_leaving[tree + 1]
        top = np.int64(1 if stack[0].first < stack[0].last else 0)
        while top:
            top -= 1
            key, node, depth = stack[top].key, np.int64(stack[top].node), np.int64(stack[top].depth)
            first, last = np.int64(stack[top].first), np.int64(stack[top].last)
            here, extent, cache = trees.nodes[node], trees.extents[node], trees.extents[node].cache
            is_leaf = here.left == node
            segment = trees.rows[base + extent.start : base + extent.stop]
            size, mask = extent.size + sign * (last - first), gone
            if sign > 0:
                n_mine = kept_rows(segment, space.none, mine)
                for i in range(first, last):
                    mine[n_mine + i - first] = leaving[i]
                segment, mask, cache = mine[:size], space.none, NONE
            middle = last
            if not is_leaf:
                by, has_missing = np.int64(here.feature), np.bool_(True)
                middle = divide(
                    table, leaving, first, last, by, here.threshold, has_missing, space.spare
                )
            total[width - 1] = extent.size
            for k in range(n_sums):
                total[k] = trees.stats[node, k]
            add_rows(total, table, leaving, first, last, sign)
            splits, feature, threshold, has_missing = False, np.int64(-1), np.float32(np.inf), False
            rival = np.inf
            fresh = np.int64(KEEP)
            if cache != SETTLED and not is_decided(
                table.targets, rules, segment, mask, size, total, n_sums, depth
            ):
                its = leaving[first:last]
                if cache >= 0:
                    splits, feature, rival = is_ahead(
                        table, rules, trees, node, cache, its, middle - first, total, space.parts[0]
                    )
                    threshold = here.threshold
                if not splits:
                    known, anew = know_without(table, rules, trees, cache, its, space)
                    known &= size > CACHED or not anew
                    anew |= not known
                    if anew:
                        kept_rows(segment, mask, mine)
                    splits, feature, threshold, has_missing, rival = choose_split(
                        table, rules, mine, size, key, space, known, anew, anew and size > CACHED
                    )
                    if not splits and is_leaf and space.trials[0].feature < 0:
                        fresh = np.int64(SETTLED)
                    elif splits and anew and size > CACHED:
                        fresh = n_fresh
            if not stays(here, is_leaf, splits, feature, threshold, has_missing):
                if n_rows + size <= rows.size and n_grafts < grafts.size:
                    graft = grafts[n_grafts]
                    graft.node, graft.tree, graft.key, graft.depth = node, tree, key, depth
                    graft.first_row, graft.last_row = n_rows, n_rows + size
                    kept_rows(segment, mask, rows[n_rows:])
                n_rows += size
                n_grafts += 1
                longest = max(longest, size)
                continue
            if fresh >= 0:
                if n_fresh < found.fresh_trials.shape[0]:
                    copy_into(found.fresh_trials, n_fresh, space.trials)
                    copy_into(found.fresh_sums, n_fresh, space.sums)
                n_fresh += 1
            if n_visits < visits.size:
                visit = visits[n_visits]
                visit.node, visit.tree, visit.first, visit.last = node, tree, first, last
                visit.feature, visit.fresh, visit.rival = feature, fresh, rival
            n_visits += 1
            if is_leaf:
                continue
            for side in range(1, -1, -1):
                a, b = (first, middle) if side == 0 else (middle, last)
                if a < b:
                    stack[top].key, stack[top].node = child_key(key, side == 0), here.left + side
                    stack[top].depth, stack[top].first, stack[top].last = depth + 1, a, b
                    top += 1
        needed[1], needed[2], needed[3], needed[4] = n_visits, n_fresh, n_grafts, n_rows
        if (
            n_visits > visits.size
            or n_fresh > found.fresh_trials.shape[0]
            or n_grafts > grafts.size
            or n_rows > rows.size
        ):
            return False
        done[0], done[1], done[2], done[3], done[4] = tree + 1, n_visits, n_fresh, n_grafts, n_rows
        done[5] = longest
    return True
