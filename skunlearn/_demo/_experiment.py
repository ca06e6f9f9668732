"""One model on one table: fit, unlearn, compare with retraining, time, attack."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone

from skunlearn._demo._answers import labels_only, posterior, row_loss, score
from skunlearn._demo._auc import Auc, auc
from skunlearn._demo._difference import Difference, compare_models
from skunlearn._demo._leakage import (
    SortedDifferenceAttack,
    Versions,
    join,
    shadow_versions,
    true_label_difference,
    watch_on_copies,
    watch_requests,
)
from skunlearn._demo._models import Contender
from skunlearn._demo._table import Split, Table
from skunlearn._unlearning.report import UnlearningReport
from skunlearn._unlearning.tags import UnlearningTags, get_unlearning_tags

MAX_REFITS = 15
REFIT_SECONDS = 2.0


@dataclass(frozen=True)
class Outcome:
    """What one model did on one table.

    Parameters
    ----------
    model : str
        Name of the model.

    promise : UnlearningTags
        What it promises.

    difference : Difference
        Between the model after all requests and one retrained on the kept rows.

    forgotten_difference : Difference
        Between the model before the requests and the same retrained one: what there was to forget.

    score_before, score_after, score_retrained : float
        Accuracy or R2 on held-out rows.

    request_seconds : ndarray of shape (n_singles,)
        Seconds of each request for one id.

    batch_seconds : float
        Seconds of the request for 5 % of the ids.

    reports : tuple of UnlearningReport
        What the model says about each request for one id.

    batch_report : UnlearningReport
        What it says about the batch.

    refit_seconds : ndarray of shape (n_refits,)
        Seconds of refitting the scikit-learn namesake, measured between the requests.

    loss_before, loss_after : Auc
        Forgotten against never-seen rows by the loss on one model.

    two_versions, sorted_difference : Auc or None
        Attacks that see both versions' full answers; None where there is no posterior to sort.

    two_versions_labels, sorted_difference_labels : Auc or None
        The same when the versions tell predicted labels only.
    """

    model: str
    promise: UnlearningTags
    difference: Difference
    forgotten_difference: Difference
    score_before: float
    score_after: float
    score_retrained: float
    request_seconds: np.ndarray
    batch_seconds: float
    reports: tuple[UnlearningReport, ...]
    batch_report: UnlearningReport
    refit_seconds: np.ndarray
    loss_before: Auc
    loss_after: Auc
    two_versions: Auc
    sorted_difference: Auc | None
    two_versions_labels: Auc | None
    sorted_difference_labels: Auc | None

    @property
    def as_promised(self) -> bool:
        """Whether the model is what retraining gives, in the sense it promises."""
        if self.promise.kind == "bitwise":
            return self.difference.bitwise
        return self.difference.largest <= (self.promise.tolerance or 0.0)

    @property
    def request(self) -> float:
        """Median seconds of a request for one id."""
        return float(np.median(self.request_seconds))

    @property
    def refit(self) -> float:
        """Median seconds of refitting scikit-learn's model."""
        return float(np.median(self.refit_seconds))


def n_steps(split: Split, table: Table) -> int:
    """Count the requests of an experiment, for the progress bar."""
    shadows = 200 if table.classes else 0
    return len(split.singles) + len(split.extra) + shadows


def run_experiment(
    contender: Contender,
    table: Table,
    split: Split,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run one model on one table.

    Parameters
    ----------
    contender : Contender
        The model and its namesake.

    table : Table
        The rows.

    split : Split
        Who is trained on, forgotten, never seen.

    seed : int
        Seed of the attacker's choices.

    advance : callable
        Called after each request.

    Returns
    -------
    outcome : Outcome
    """
    y, ids = table.y, table.ids

    def fit_on(rows: np.ndarray) -> Any:
        return contender.make().fit(table.rows(rows), y[rows], sample_ids=ids[rows])

    before = fit_on(split.train)
    heldout = table.rows(split.heldout)
    _warm_up(before, split, heldout)

    model = copy.deepcopy(before)
    stopwatch = _Stopwatch(model, contender.namesake, table, split, advance)
    never = np.resize(split.never_seen, len(split.singles))
    watched = watch_requests(model, table, split.singles, never, after_each=stopwatch)
    started = perf_counter()
    model.unlearn(split.batch)
    batch_seconds = perf_counter() - started
    stopwatch.refit(len(split.singles), split.batch)

    kept = split.train[np.isin(ids[split.train], model.sample_ids_)]
    retrained = fit_on(kept)
    scores = [
        score(posterior(m, heldout, len(table.classes)), y[split.heldout])
        for m in (before, model, retrained)
    ]
    others = split.never_seen[len(split.singles) :][: len(split.extra)]
    versions = [
        watched,
        *watch_on_copies(
            before, table, split.extra[: others.size], others, after_each=lambda *_: advance()
        ),
    ]
    by_loss = _told_by_loss(contender, before, model, table, split)
    by_versions = _told_by_two_versions(contender, join(versions), table, split, seed, advance)
    return Outcome(
        model=contender.name,
        promise=get_unlearning_tags(before) or UnlearningTags("none"),
        difference=compare_models(model, retrained, heldout),
        forgotten_difference=compare_models(before, retrained, heldout),
        score_before=scores[0],
        score_after=scores[1],
        score_retrained=scores[2],
        request_seconds=np.array(stopwatch.requests),
        batch_seconds=batch_seconds,
        reports=tuple(stopwatch.reports),
        batch_report=model.unlearning_report_,
        refit_seconds=np.array(stopwatch.refits),
        loss_before=by_loss[0],
        loss_after=by_loss[1],
        two_versions=by_versions[0],
        sorted_difference=by_versions[1],
        two_versions_labels=by_versions[2],
        sorted_difference_labels=by_versions[3],
    )


def _warm_up(before: Any, split: Split, X: Any) -> None:
    """Compile kernels, so that no timed request pays for it."""
    model = copy.deepcopy(before)
    for request in (*split.singles[:3], split.batch):
        model.unlearn(request)
    model.predict(X[:2])


class _Stopwatch:
    """Collects times and reports of requests and, now and then, the time of a refit.

    Parameters
    ----------
    model : estimator
        The model that forgets.

    namesake : estimator
        What is refitted between requests.

    table : Table
        The rows.

    split : Split
        The requests.

    advance : callable
        Called after each request.
    """

    def __init__(
        self,
        model: Any,
        namesake: Any,
        table: Table,
        split: Split,
        advance: Callable[[], None],
    ) -> None:
        self.model = model
        self.namesake = namesake
        self.table = table
        self.split = split
        self.advance = advance
        self.requests: list[float] = []
        self.reports: list[UnlearningReport] = []
        self.refits: list[float] = []
        n_requests = len(split.singles)
        self.every = max(1, n_requests // MAX_REFITS)

    def __call__(self, number: int, seconds: float) -> None:
        self.requests.append(seconds)
        self.reports.append(self.model.unlearning_report_)
        if number % self.every == 0 and (len(self.refits) < 3 or sum(self.refits) < REFIT_SECONDS):
            self.refit(number + 1, [])
        self.advance()

    def refit(self, n_gone: int, batch: list[Any]) -> None:
        """Time scikit-learn's refit on the remaining rows."""
        train, ids = self.split.train, self.table.ids
        gone = {*self.split.singles[:n_gone], *batch}
        kept = train[[value not in gone for value in ids[train].tolist()]]
        X, y = self.table.rows(kept), self.table.y[kept]
        estimator = clone(self.namesake)
        started = perf_counter()
        estimator.fit(X, y)
        self.refits.append(perf_counter() - started)


def _told_by_loss(
    contender: Contender, before: Any, model: Any, table: Table, split: Split
) -> tuple[Auc, Auc]:
    """Compare losses of forgotten and never-seen rows, one per id, before and after."""
    after = copy.deepcopy(model).unlearn(split.extra)
    named = [*split.singles, *split.batch, *split.extra]
    forgotten = np.array([table.row_of[value] for value in named], dtype=np.intp)
    rows = np.concatenate([forgotten, split.never_seen])
    found = []
    for version in (before, after):
        answers = posterior(version, table.rows(rows), len(table.classes))
        loss = row_loss(answers, table.y[rows], squared=contender.squared)
        found.append(auc(-loss[: forgotten.size], -loss[forgotten.size :]))
    return found[0], found[1]


def _told_by_two_versions(
    contender: Contender,
    versions: Versions,
    table: Table,
    split: Split,
    seed: int,
    advance: Callable[[], None],
) -> tuple[Auc, Auc | None, Auc | None, Auc | None]:
    difference = versions.auc_of(true_label_difference(versions, squared=contender.squared))
    if not table.classes:
        return difference, None, None, None
    shadow = shadow_versions(
        contender.make,
        table,
        split.attacker,
        np.random.default_rng([seed, 1]),
        after_each=lambda *_: advance(),
    )
    labels = versions.seen_through(labels_only)
    attack = SortedDifferenceAttack().fit(shadow)
    label_attack = SortedDifferenceAttack().fit(shadow.seen_through(labels_only))
    return (
        difference,
        versions.auc_of(attack.score_samples(versions)),
        labels.auc_of(true_label_difference(labels, squared=contender.squared)),
        labels.auc_of(label_attack.score_samples(labels)),
    )
