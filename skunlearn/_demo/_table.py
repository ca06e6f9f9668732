"""A table ready for the demo, and how its rows are split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skunlearn._samples.ids import as_keys

MIN_IDS = 60
MIN_PER_CLASS = 20
MIN_IDS_PER_CLASS = 10
MAX_CLASSES = 50


class DemoError(Exception):
    """Bad input, told in one line that names the file, the column or the id."""


@dataclass(frozen=True)
class Table:
    """A table with a target and an id per row.

    Parameters
    ----------
    name : str
        Short name.

    source : str
        Where it comes from, in words.

    X : ndarray of shape (n_samples, n_features), dtype float64, or pandas DataFrame
        Features. Columns of a data frame are numbers or, with dtype object, texts; missing values
        are NaN in both.

    y : ndarray of shape (n_samples,)
        Class numbers ``0..len(classes)-1``, or float targets.

    ids : ndarray of shape (n_samples,)
        Sample ids; one id may stand for several rows.

    target : str
        Name of the target.

    classes : tuple of str
        Class names; empty for regression.

    notes : tuple of str
        How the rows were read and what was left out, one sentence each.
    """

    name: str
    source: str
    X: Any
    y: np.ndarray
    ids: np.ndarray
    target: str
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(self, positions: np.ndarray) -> Any:
        """Return the features of some rows."""
        return self.X.iloc[positions] if hasattr(self.X, "iloc") else self.X[positions]

    @cached_property
    def row_of(self) -> dict[Any, int]:
        """The first row of each id."""
        ids = self.ids.tolist()
        return dict(zip(reversed(ids), range(len(ids) - 1, -1, -1), strict=True))

    @cached_property
    def person_of_row(self) -> np.ndarray:
        """Number the distinct ids in order of appearance: shape (n_samples,), dtype intp."""
        numbers: dict[Any, int] = {}
        keys = as_keys(self.ids)
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)


@dataclass(frozen=True)
class Split:
    """Who is in the training rows, who is never seen, and which rows the attacker owns.

    Parameters
    ----------
    train, heldout, attacker : ndarray of dtype intp
        Row numbers, sorted; all rows of an id are on one side.

    singles : list
        Ids to unlearn one by one.

    batch : list
        Ids to unlearn in one request after them.

    extra : list
        Further training ids, deleted on copies of the model so that leakage is measured on enough.

    never_seen : ndarray of dtype intp
        One row of each held-out id, in random order.
    """

    train: np.ndarray
    heldout: np.ndarray
    attacker: np.ndarray
    singles: list[Any]
    batch: list[Any]
    extra: list[Any]
    never_seen: np.ndarray


def find_ids(table: Table, wanted: list[str]) -> list[Any]:
    """Find ids of a table by how they are written.

    Raises
    ------
    DemoError
        If one is not in the table.
    """
    by_text = {str(value): value for value in table.row_of}
    for text in wanted:
        if text not in by_text:
            raise DemoError(
                f"{table.name}: id {text!r} is not in the table "
                f"(its ids look like {', '.join(repr(str(k)) for k in table.ids[:3].tolist())})"
            )
    return [by_text[text] for text in dict.fromkeys(wanted)]


def _check_classes(table: Table, class_of_id: np.ndarray) -> None:
    if table.classes:
        counts = np.bincount(class_of_id, minlength=len(table.classes))
        if np.sum(counts >= MIN_IDS_PER_CLASS) < 2:
            raise DemoError(
                f"{table.name}: target {table.target} needs two classes of at least "
                f"{MIN_IDS_PER_CLASS} ids each"
            )


def split_table(
    table: Table, seed: int, *, forget: list[str] | None = None, n_leakage: int = 200
) -> Split:
    """Divide ids at random: half to train, a quarter held out, a quarter to the attacker.

    Classes are divided evenly, between the sides and between the ids forgotten and kept: what is
    forgotten and what was never seen then differ by chance only.

    Parameters
    ----------
    table : Table
        At least ``MIN_IDS`` ids.

    seed : int
        Seed of the division.

    forget : list of str, default=None
        Ids to unlearn one by one, instead of 1 % (at least 10, at most 100) drawn at random.

    n_leakage : int, default=200
        How many ids leakage is measured on, where the table has as many.

    Returns
    -------
    split : Split
    """
    rng = np.random.default_rng(seed)
    person = table.person_of_row
    first_row = np.unique(person, return_index=True)[1]
    n_ids = first_row.size
    if n_ids < MIN_IDS:
        raise DemoError(
            f"{table.name}: {n_ids} distinct ids with a target value; at least {MIN_IDS} are needed"
        )
    strata = table.y[first_row] if table.classes else np.zeros(n_ids, dtype=np.intp)
    _check_classes(table, strata)
    position = np.empty(n_ids)
    for value in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == value))
        position[members] = (np.arange(members.size) + rng.random()) / members.size
    side = np.searchsorted([0.5, 0.75], position, "right")
    chosen = find_ids(table, forget) if forget else []
    asked = person[[table.row_of[value] for value in chosen]]
    side[asked] = 0

    order = np.argsort(position, kind="stable")
    train_ids = np.concatenate([asked, order[(side[order] == 0) & ~np.isin(order, asked)]])
    n_single = asked.size or min(max(10, round(0.01 * train_ids.size)), 100)
    n_batch = max(1, round(0.05 * train_ids.size))
    n_extra = max(0, min(n_leakage, round(0.7 * train_ids.size)) - n_single - n_batch)
    cuts = np.cumsum([n_single, n_batch, n_extra])
    singles, batch, extra = (
        table.ids[first_row[part]].tolist() for part in np.split(train_ids, cuts)[:3]
    )
    left = train_ids[cuts[-1] :]
    if table.classes and np.unique(strata[left]).size < 2:
        raise DemoError(
            f"{table.name}: the ids to forget would leave one class of {table.target} only, "
            "which fit refuses"
        )
    train, heldout, attacker = (np.flatnonzero(side[person] == number) for number in range(3))
    never_seen = first_row[rng.permutation(np.flatnonzero(side == 1))]
    return Split(train, heldout, attacker, singles, batch, extra, never_seen)
