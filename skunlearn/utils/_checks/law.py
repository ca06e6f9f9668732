"""The law: unlearning gives what retraining on the kept rows gives (contract, section 2)."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import get_tags

from skunlearn._unlearning.tags import get_unlearning_tags
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.utils._checks.data import (
    Rows,
    assert_like_retrained,
    fitted,
    kind_of_rows,
    make_rows,
    some_ids,
    takes_weights,
)
from skunlearn.utils._difference import differ, public_attributes


def assert_law(
    name: str, estimator: Any, rows: Rows, requests: Iterable[Any], circumstance: str
) -> None:
    """Fit on all rows and unlearn the requests one after the other; compare with retraining.

    Where `fit` refuses the remaining rows, `unlearn` must refuse as well.
    """
    assert_law_of_each(name, estimator, rows, {circumstance: requests})


def assert_law_of_each(
    name: str, estimator: Any, rows: Rows, ways: Mapping[str, Iterable[Any]]
) -> None:
    """Assert the law for several ways to forget the same rows; they share one retrained model."""
    split = {way: [list(request) for request in requests] for way, requests in ways.items()}
    gone = [set().union(*requests) for requests in split.values()]
    assert all(ids == gone[0] for ids in gone), "these ways leave different rows"
    try:
        retrained = fitted(estimator, rows.without(gone[0]))
    except ValueError as refusal:
        for way, requests in split.items():
            assert_refused(name, fitted(estimator, rows), requests, way, refusal)
        return
    model = fitted(estimator, rows)
    copies = [copy.deepcopy(model) for _ in range(len(split) - 1)]
    for one, (way, requests) in zip([model, *copies], split.items(), strict=True):
        _assert_forgets(name, one, retrained, rows.X, requests, way)


def _assert_forgets(
    name: str, model: Any, retrained: Any, X: Any, requests: list[list[Any]], circumstance: str
) -> None:
    for request in requests:
        returned = model.unlearn(request)
        if returned is not model:
            raise AssertionError(f"{name}: unlearn must return self, not {returned!r}.")
    expected = retrained.sample_ids_.tolist()
    if model.sample_ids_.tolist() != expected:
        raise AssertionError(
            f"{name}: after unlearn ({circumstance}) `sample_ids_` must be the kept ids in "
            f"training order, {len(expected)} of them; it holds {len(model.sample_ids_)}."
        )
    assert_like_retrained(name, model, retrained, X, circumstance)


def assert_refused(
    name: str, model: Any, requests: list[list[Any]], circumstance: str, refusal: Exception
) -> None:
    before = copy.deepcopy(public_attributes(model))
    complaint = "nothing was raised"
    try:
        model.unlearn([i for request in requests for i in request])
    except NotUnlearnableError:
        difference = differ(public_attributes(model), before)
        if difference is None:
            return
        raise AssertionError(
            f"{name}: a refused request ({circumstance}) changed {difference}."
        ) from None
    except ValueError as other:
        complaint = f"it raised {other!r}"
    raise AssertionError(
        f"{name}: fit refuses the remaining rows ({circumstance}: {refusal}), so unlearn "
        f"must raise NotUnlearnableError; {complaint}."
    )


def check_law_single_rows(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that rows can be forgotten one by one."""
    rows = make_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    ids = some_ids(rows, rng, 6)
    assert_law(name, estimator, rows, [ids[:1]], "one row")
    assert_law(name, estimator, rows, [[i] for i in ids], "six rows one by one")


def check_law_any_order_and_split(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that order and split of requests do not matter, for few rows and for most."""
    rows = make_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    for n_ids in (12, len(rows.ids) - 9):
        ids = some_ids(rows, rng, n_ids)
        cuts = np.sort(rng.integers(0, n_ids, size=3)).tolist()
        batches = [ids[a:b] for a, b in zip([0, *cuts], [*cuts, n_ids], strict=True)]
        ways = {
            f"{n_ids} rows at once": [ids],
            f"{n_ids} rows in four batches": batches[::-1],
            f"{n_ids} rows, some named twice": [ids + ids[:3]],
        }
        assert_law_of_each(name, estimator, rows, ways)


def check_law_repeated_ids(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that every row that bears an id goes with it, and no other row."""
    rows = make_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    rows = rows.replace(ids=rng.integers(0, 20, size=len(rows.ids)))
    ids = some_ids(rows, rng, 4)
    assert_law(name, estimator, rows, [ids[:1]], "an id that several rows bear")
    assert_law(name, estimator, rows, [ids[:2], ids[2:]], "ids that several rows bear")
    twins = rows.replace(X=rows.X.copy())
    twins.X[1::2] = twins.X[::2]
    assert_law(name, estimator, twins, [ids[:2]], "equal rows under different ids")


def check_law_vanished_class(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that a class without rows vanishes, or that the request is refused as `fit` would."""
    rows = make_rows(estimator, seed)
    last = np.asarray(rows.y).max()
    names = np.array(["class a", "class b", "class c"])[rows.y]
    for y in (rows.y, names):
        gone = rows.ids[rows.y == last].tolist()
        ways = {
            "the last class vanishes": [gone],
            "the last class vanishes in two": [gone[::2], gone[1::2]],
        }
        assert_law_of_each(name, estimator, rows.replace(y=y), ways)
    gone = rows.ids[rows.y != last].tolist()
    assert_law(name, estimator, rows, [gone], "a single class is left")


def check_law_outliers(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that rows a million times larger than the others leave no rounding error behind."""
    rows = make_rows(estimator, seed)
    tags: Any = get_unlearning_tags(estimator)
    ids = some_ids(rows, np.random.default_rng(seed), 3)
    X = rows.X.copy()
    X[np.isin(rows.ids, ids)] *= 1e6
    if tags.kind == "certified":
        # What floats cannot certify is refused, but then without such rows it must be accepted.
        try:
            fitted(estimator, rows.replace(X=X))
        except ValueError:
            assert_law(name, estimator, rows, [ids[:1], ids[1:]], "rows without outliers")
            return
    assert_law(name, estimator, rows.replace(X=X), [ids[:1], ids[1:]], "huge outliers go")


def check_law_constant_column(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that a column which becomes constant is treated as `fit` treats one."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 3)
    X = rows.X.copy()
    X[~np.isin(rows.ids, ids), 1] = 1.7
    with warnings.catch_warnings():  # which some estimators warn of
        warnings.simplefilter("ignore", UserWarning)
        assert_law(name, estimator, rows.replace(X=X), [ids], "a column becomes constant")


def check_law_random_state(name: str, estimator: Any, seed: int = 0) -> None:
    """Check the law for other kinds of `random_state` than an integer."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 8)
    model = fitted(estimator, rows, np.random.RandomState(seed)).unlearn(ids)
    retrained = fitted(estimator, rows.without(ids), np.random.RandomState(seed))
    assert_like_retrained(name, model, retrained, rows.X, "random_state is a RandomState")
    undrawn = fitted(estimator, rows, None)
    batch = copy.deepcopy(undrawn).unlearn(ids)
    for i in reversed(ids):
        undrawn.unlearn(i)
    assert_like_retrained(
        name, undrawn, batch, rows.X, "random_state is None, one by one against all at once"
    )


def check_law_leaves_user_data_alone(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that forgetting never writes into the arrays that the user passed to `fit`."""
    rows = make_rows(estimator, seed)
    if takes_weights(estimator):
        rows = rows.replace(weight=np.random.default_rng(seed).random(len(rows.ids)))
    originals = copy.deepcopy(rows)
    model = fitted(estimator, rows)
    held = model.sample_ids_
    model.unlearn(some_ids(rows, np.random.default_rng(seed), 40))
    for argument in ("X", "y", "weight", "ids"):
        difference = differ(getattr(rows, argument), getattr(originals, argument), where=argument)
        if difference is not None:
            raise AssertionError(f"{name}: unlearn wrote into the user's {difference}.")
    if not np.array_equal(held, originals.ids):
        raise AssertionError(f"{name}: unlearn wrote into an array that `sample_ids_` returned.")
    rows.X[:] = 0.0
    rows.ids[:] = 0
    if model.sample_ids_.size != len(np.unique(model.sample_ids_)):
        raise AssertionError(f"{name}: the model shares memory with the user's sample_ids.")
    left = model.sample_ids_.tolist()
    retrained = fitted(estimator, originals.part(np.isin(originals.ids, left[1:])))
    model.unlearn(left[:1])
    assert_like_retrained(name, model, retrained, originals.X, "the user has overwritten X since")


def law_checks(estimator: Any) -> list[Any]:
    """Return the checks of this file that apply to the estimator."""
    checks = [
        check_law_single_rows,
        check_law_any_order_and_split,
        check_law_repeated_ids,
        check_law_leaves_user_data_alone,
    ]
    if kind_of_rows(estimator) == "table":
        checks.append(check_law_constant_column)
        if not get_tags(estimator).input_tags.categorical:
            checks.append(check_law_outliers)
    if is_classifier(estimator):
        checks.append(check_law_vanished_class)
    if "random_state" in estimator.get_params(deep=False):
        checks.append(check_law_random_state)
    return checks
