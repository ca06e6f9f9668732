"""Training data that suits an estimator's tags, and the request-making helpers of all checks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from skunlearn.utils._compare import broken_promise

N_SAMPLES = 66
N_FEATURES = 4
N_CLASSES = 3
N_CATEGORIES = 4
N_COMPARED = 12

# How far apart numbers are that become different words.
_WORD = 0.5


@dataclass(frozen=True)
class Rows:
    """Rows to fit on: X, targets, weights and ids, each but X possibly None."""

    X: Any
    y: np.ndarray | None
    ids: Any
    weight: np.ndarray | None = None

    def part(self, keep: np.ndarray) -> Rows:
        """Return the rows that a boolean mask selects."""
        chosen = {
            name: None if (value := getattr(self, name)) is None else _select(value, keep)
            for name in ("X", "y", "ids", "weight")
        }
        return Rows(**chosen)

    def replace(self, **changes: Any) -> Rows:
        """Return the same rows with some of the four replaced."""
        return dataclasses.replace(self, **changes)

    def without(self, ids: Any) -> Rows:
        """Return the rows that bear none of the given ids."""
        gone = set(ids)
        return self.part(np.array([i not in gone for i in list(self.ids)]))


def _select(value: Any, keep: np.ndarray) -> Any:
    if hasattr(value, "iloc"):
        return value.iloc[np.flatnonzero(keep)]
    if hasattr(value, "with_columns") or hasattr(value, "to_frame"):
        return value[np.flatnonzero(keep).tolist()]
    if isinstance(value, list):
        return [v for v, k in zip(value, keep, strict=True) if k]
    return value[keep]


def _some_held(model: Any, X: Any) -> Any:
    """Select rows that the model holds, no more than it takes to compare outputs."""
    chosen = np.zeros(X.shape[0], dtype=bool)
    for row in np.eye(X.shape[0], dtype=bool):
        if model.find_samples(_select(X, row)).size > 0:
            chosen |= row
        if chosen.sum() == N_COMPARED:
            break
    return _select(X, chosen)


def kind_of_rows(estimator: Any) -> str | None:
    """Tell by its tags what an estimator takes: a 'table', 'texts', 'labels' or none of these."""
    tags = get_tags(estimator)
    if tags.input_tags.two_d_array:
        return "table"
    if tags.input_tags.string:
        return "texts"
    return "labels" if tags.target_tags.one_d_labels else None


def make_rows(estimator: Any, seed: int) -> Rows:
    """Make rows that the estimator accepts: classes overlap, column means differ from zero.

    Texts have a word for each number, and every other text has one that no other text has.

    Parameters
    ----------
    estimator : estimator
        Its tags decide about targets and signs.

    seed : int
        Of the random data.

    Returns
    -------
    rows : Rows
        Ids are distinct integers in no particular order.
    """
    tags = get_tags(estimator)
    kind = kind_of_rows(estimator)
    if kind is None:
        raise SkipTest("The checks make tables, texts and labels, and this takes none of these.")
    rng = np.random.default_rng(seed)
    group = np.arange(N_SAMPLES) % (N_CLASSES if tags.classifier_tags is None else n_classes(tags))
    rng.shuffle(group)
    X = rng.normal(size=(N_SAMPLES, N_FEATURES)) + 0.7 * group[:, None] + [3.0, -5.0, 2.0, 8.0]
    if tags.input_tags.categorical:
        X = np.round(np.abs(X)) % N_CATEGORIES
    elif tags.input_tags.positive_only:
        X = np.abs(X)
    y: Any = None
    if is_classifier(estimator) or tags.target_tags.one_d_labels:
        y = group
    elif is_regressor(estimator) or tags.target_tags.required:
        y = X @ [0.5, -1.0, 2.0, 0.25] + rng.normal(size=N_SAMPLES)
        if tags.target_tags.positive_only:
            y = np.exp(0.1 * (y - y.mean()))
    ids = rng.permutation(10 * N_SAMPLES)[:N_SAMPLES] - 2 * N_SAMPLES
    if kind == "texts":
        return Rows(_as_texts(X, rng), None, ids)
    if kind == "labels":
        return Rows(np.array([f"label {g}" for g in group]), None, ids)
    return Rows(X, y, ids)


def _as_texts(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Write a text for each row of a table."""
    own = rng.permutation(10**6)[: len(X)].tolist()
    texts = []
    for position, steps in enumerate(np.round(X / _WORD).astype(int).tolist()):
        words = [f"{'abcd'[j]}{'under' * (step < 0)}{abs(step)}" for j, step in enumerate(steps)]
        texts.append(" ".join([*words, *[f"only{own[position]:06}"] * (position % 2)]))
    return np.array(texts, dtype=object)


def n_classes(tags: Any) -> int:
    """Return how many classes a classifier with these tags can be given."""
    return N_CLASSES if tags.classifier_tags.multi_class else 2


def fresh(estimator: Any, random_state: Any = 0) -> Any:
    """Clone an estimator and, where it has one, fix its `random_state`."""
    model = clone(estimator)
    if "random_state" in model.get_params(deep=False):
        model.set_params(random_state=random_state)
    return model


def fitted(estimator: Any, rows: Rows, random_state: Any = 0) -> Any:
    """Fit a fresh copy of the estimator on rows."""
    return fit(fresh(estimator, random_state), rows)


def fit(model: Any, rows: Rows) -> Any:
    """Fit a model on rows."""
    extras = {} if rows.weight is None else {"sample_weight": rows.weight}
    if rows.ids is not None:
        extras["sample_ids"] = rows.ids
    if kind_of_rows(model) == "labels":
        return model.fit(rows.X, **extras)
    return model.fit(rows.X, rows.y, **extras)


def takes_weights(estimator: Any) -> bool:
    """Tell whether `fit` takes sample weights."""
    return has_fit_parameter(estimator, "sample_weight")


def some_ids(rows: Rows, rng: np.random.Generator, n_ids: int) -> list[Any]:
    """Draw distinct ids to forget."""
    distinct = list(dict.fromkeys(list(rows.ids)))
    return [distinct[position] for position in rng.permutation(len(distinct))[:n_ids]]


def assert_like_retrained(
    name: str, model: Any, retrained: Any, X: Any, circumstance: str, *, outputs_only: bool = False
) -> None:
    """Fail, saying where, unless an unlearned model keeps its promise.

    Only outputs are compared where attributes are zero but for rounding.
    """
    # Other rows may have categories that it never saw.
    if get_tags(retrained).input_tags.categorical or kind_of_rows(retrained) == "labels":
        X = _some_held(retrained, X)
    difference = broken_promise(model, retrained, X, outputs_only=outputs_only)
    if difference is not None:
        raise AssertionError(
            f"{name}: after unlearn ({circumstance}) the model is not what retraining on the "
            f"kept rows gives: {difference}."
        )
