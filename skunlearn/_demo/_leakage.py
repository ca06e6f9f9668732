"""What forgotten rows still give away to someone who saw the model before and after."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skunlearn._demo._answers import posterior, row_loss
from skunlearn._demo._auc import Auc, auc
from skunlearn._demo._table import Table

_SMALLEST = 1e-290

# Pairs of rows asked about in one call: a version is then asked once, not before and after each
# request, and both its neighbours are asked about an array of the same layout.
_PAIRS_ASKED = 10


@dataclass(frozen=True)
class Versions:
    """Answers of pairs of model versions, each pair from before and after one request.

    Parameters
    ----------
    before, after : ndarray of shape (n_rows, n_outputs)
        Answers of the older and the newer version about the same row.

    y : ndarray of shape (n_rows,)
        The rows' targets.

    forgotten : ndarray of shape (n_rows,), dtype bool
        Whether the request removed the row; else the row was never seen.

    n_train : int
        Training rows of the first version.
    """

    before: np.ndarray
    after: np.ndarray
    y: np.ndarray
    forgotten: np.ndarray
    n_train: int

    def seen_through(self, sanitizer: Callable[[np.ndarray], np.ndarray]) -> Versions:
        """Return what is left when answers pass through an output sanitizer."""
        return replace(self, before=sanitizer(self.before), after=sanitizer(self.after))

    def auc_of(self, scores: np.ndarray) -> Auc:
        """Compare the scores of forgotten and never-seen rows."""
        return auc(scores[self.forgotten], scores[~self.forgotten])


def join(parts: list[Versions]) -> Versions:
    """Put several recordings into one."""
    fields = ("before", "after", "y", "forgotten")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in fields
    }
    return replace(parts[0], **joined)


def watch_requests(
    model: Any,
    table: Table,
    ids: list[Any],
    never_seen: np.ndarray,
    *,
    after_each: Callable[[int, float], None] | None = None,
) -> Versions:
    """Unlearn ids one by one, and record both versions' answers around each request.

    Parameters
    ----------
    model : estimator
        Fitted on rows of the table; it forgets.

    table : Table
        Where the rows are.

    ids : list
        Ids to unlearn; the first row of each is scored.

    never_seen : ndarray of shape (n_ids,), dtype intp
        Row numbers, each scored under the same two versions as the id at its position.

    after_each : callable, default=None
        Called with the request's number and the seconds that `unlearn` took.

    Returns
    -------
    versions : Versions
    """
    n_classes = len(table.classes)
    n_train = len(model.sample_ids_)
    rows = np.array([table.row_of[value] for value in ids], dtype=np.intp)
    before, after = [], []
    pairs = np.column_stack([rows, never_seen])
    for start in range(0, len(ids), _PAIRS_ASKED):
        X = table.rows(pairs[start : start + _PAIRS_ASKED].ravel())
        answers = posterior(model, X, n_classes)
        for position, value in enumerate(ids[start : start + _PAIRS_ASKED]):
            pair = slice(2 * position, 2 * position + 2)
            before.append(answers[pair])
            started = perf_counter()
            model.unlearn(value)
            seconds = perf_counter() - started
            answers = posterior(model, X, n_classes)
            after.append(answers[pair])
            if after_each is not None:
                after_each(start + position, seconds)
    return Versions(
        np.concatenate(before),
        np.concatenate(after),
        table.y[pairs.ravel()],
        np.tile([True, False], len(ids)),
        n_train,
    )


def watch_on_copies(
    model: Any,
    table: Table,
    ids: list[Any],
    never_seen: np.ndarray,
    *,
    after_each: Callable[[int, float], None] | None = None,
) -> list[Versions]:
    """Do the same on copies of a model, each of which loses at most 5 % of its ids."""
    portion = max(1, len(set(model.sample_ids_.tolist())) // 20)
    return [
        watch_requests(
            copy.deepcopy(model),
            table,
            ids[start : start + portion],
            never_seen[start : start + portion],
            after_each=after_each,
        )
        for start in range(0, len(ids), portion)
    ]


def true_label_difference(versions: Versions, *, squared: bool) -> np.ndarray:
    """Score rows without training an attack model; higher means more likely deleted.

    Parameters
    ----------
    versions : Versions
        Answers about n_rows rows.

    squared : bool
        Whether the model minimises squared error. Then the score is the growth of that error;
        otherwise ``p_y - q_y``, by how much less the newer version says about the true label.

    Returns
    -------
    scores : ndarray of shape (n_rows,)
    """
    before, after, y = versions.before, versions.after, versions.y
    if squared:
        return row_loss(after, y, squared=True) - row_loss(before, y, squared=True)
    positions = np.arange(len(y)), y
    return before[positions] - after[positions]


def sorted_difference(versions: Versions) -> np.ndarray:
    """Return the difference of the answers, in the order of the older version's.

    One permutation, that of the older answers, is applied to both. Differences are multiplied by
    the number of training rows, so that models of different size can be compared. They span many
    orders of magnitude, of which their signed eighth root keeps all in the range of float32, the
    type in which forests compare; what is below 1e-290 counts as nothing.

    Returns
    -------
    features : ndarray of shape (n_rows, n_outputs)

    References
    ----------
    Chen, Zhang, Wang, Backes, Humbert, Zhang: When machine unlearning jeopardizes privacy,
    CCS 2021, section 3.
    """
    order = np.argsort(versions.before, axis=1, kind="stable")
    difference = np.take_along_axis(versions.before - versions.after, order, axis=1)
    difference[np.abs(difference) < _SMALLEST] = 0
    return np.sign(difference) * np.abs(difference * versions.n_train) ** 0.125


class SortedDifferenceAttack(BaseEstimator):
    """Tell deleted rows from never-seen ones by the sorted difference of two answers.

    Parameters
    ----------
    attack_estimator : classifier, default=None
        Any classifier; features reach it standardised. None takes a random forest.
    """

    def __init__(self, attack_estimator: Any = None) -> None:
        self.attack_estimator = attack_estimator

    def fit(self, shadow: Versions) -> SortedDifferenceAttack:
        """Learn from shadow models that the attacker made unlearn own rows."""
        classifier = self.attack_estimator
        if classifier is None:
            classifier = RandomForestClassifier(min_samples_leaf=5, random_state=0)
        self.attack_ = make_pipeline(StandardScaler(), classifier)
        self.attack_.fit(sorted_difference(shadow), shadow.forgotten)
        return self

    def score_samples(self, versions: Versions) -> np.ndarray:
        """Return each row's probability of having been deleted, shape (n_rows,)."""
        return self.attack_.predict_proba(sorted_difference(versions))[:, 1]


def shadow_versions(
    make: Callable[[], Any],
    table: Table,
    rows: np.ndarray,
    rng: np.random.Generator,
    *,
    n_shadows: int = 4,
    n_requests: int = 200,
    after_each: Callable[[int, float], None] | None = None,
) -> Versions:
    """Train shadow models on the attacker's own rows and watch them forget.

    Parameters
    ----------
    make : callable
        Returns an unfitted model of the victim's kind.

    table : Table
        Where the rows are.

    rows : ndarray of dtype intp
        Rows the attacker owns; none is in the victim's training data or among its test rows.

    rng : Generator
        Source of the random division into shadow training rows (3/5) and never-seen ones.

    n_shadows : int, default=4
        Shadow models.

    n_requests : int, default=200
        Deletions over all shadow models, at most.

    after_each : callable, default=None
        As in :func:`watch_requests`.

    Returns
    -------
    versions : Versions
    """
    person = table.person_of_row[rows]
    people = np.unique(person)
    parts: list[Versions] = []
    for _ in range(n_shadows):
        shuffled = rng.permutation(people)
        inside = np.isin(person, shuffled[: (3 * people.size) // 5])
        train, outside = rows[inside], rows[~inside]
        model = make().fit(table.rows(train), table.y[train], sample_ids=table.ids[train])
        spared = _last_of_class(table, train)
        ids = [
            v for v in dict.fromkeys(table.ids[rng.permutation(train)].tolist()) if v not in spared
        ]
        n = min(n_requests // n_shadows, len(ids), outside.size)
        never_seen = rng.permutation(outside)[:n]
        parts += watch_on_copies(model, table, ids[:n], never_seen, after_each=after_each)
    return join(parts)


def _last_of_class(table: Table, train: np.ndarray) -> set[Any]:
    """Return ids the attacker does not delete: classes of fewer than five rows would vanish."""
    if not table.classes:
        return set()
    rare = np.bincount(table.y[train], minlength=len(table.classes)) < 5
    return set(table.ids[train[rare[table.y[train]]]].tolist())
