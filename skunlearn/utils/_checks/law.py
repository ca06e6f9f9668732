"""The law: unlearning gives what retraining on the kept rows gives (contract, section 2)."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.utils import get_tags

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.utils._checks.compare import differ, public_attributes
from skunlearn.utils._checks.data import (
    Rows,
    assert_like_retrained,
    fitted,
    make_rows,
    some_ids,
    takes_weights,
)


def assert_law(
    name: str, estimator: Any, rows: Rows, requests: Iterable[Any], circumstance: str
) -> None:
    """Fit on all rows and unlearn the requests one after the other; compare with retraining.

    Where `fit` refuses the rows that are left, `unlearn` must refuse as well.
    """
    requests = [list(request) for request in requests]
    forgotten = [i for request in requests for i in request]
    kept = rows.without(forgotten)
    model = fitted(estimator, rows)
    try:
        retrained = fitted(estimator, kept)
    except ValueError as refusal:
        _assert_refused(name, model, requests, circumstance, refusal)
        return
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
    assert_like_retrained(name, model, retrained, rows.X, circumstance)


def _assert_refused(
    name: str, model: Any, requests: list[list[Any]], circumstance: str, refusal: ValueError
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
        f"{name}: fit refuses the rows that are left ({circumstance}: {refusal}), so unlearn "
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
        assert_law(name, estimator, rows, [ids], f"{n_ids} rows at once")
        cuts = np.sort(rng.integers(0, n_ids, size=3)).tolist()
        batches = [ids[a:b] for a, b in zip([0, *cuts], [*cuts, n_ids], strict=True)]
        assert_law(name, estimator, rows, batches[::-1], f"{n_ids} rows in four batches")
        assert_law(name, estimator, rows, [ids + ids[:3]], f"{n_ids} rows, some named twice")


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


def check_law_id_kinds(name: str, estimator: Any, seed: int = 0) -> None:
    """Check string ids, mixed ids, a single id, and ids by default."""
    rows = make_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    words = np.array([f"person {i}" for i in rows.ids])
    mixed = [int(i) if i % 2 else f"row {i}" for i in rows.ids]
    for kind, ids in {"string": words, "list of string and integer": mixed}.items():
        named = rows.replace(ids=ids)
        assert_law(name, estimator, named, [some_ids(named, rng, 5)], f"{kind} ids")
    single = fitted(estimator, rows.replace(ids=words)).unlearn(str(words[3]))
    retrained = fitted(estimator, rows.replace(ids=words).without([words[3]]))
    assert_like_retrained(name, single, retrained, rows.X, "a single string as request")
    numbers = np.arange(len(rows.ids))
    default = fitted(estimator, rows.replace(ids=None)).unlearn(7)
    retrained = fitted(estimator, rows.replace(ids=numbers).without([7]))
    assert_like_retrained(name, default, retrained, rows.X, "row numbers as ids")


def check_law_dtypes_and_layouts(name: str, estimator: Any, seed: int = 0) -> None:
    """Check float32 and float64 in C order, Fortran order and strided views."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 7)
    for dtype in (np.float32, np.float64):
        X = rows.X.astype(dtype)
        wide = np.zeros((2 * X.shape[0], X.shape[1]), dtype=dtype)
        wide[::2] = X
        for layout, table in {
            "C order": X,
            "Fortran order": np.asfortranarray(X),
            "a strided view": wide[::2],
        }.items():
            case = rows.replace(X=table)
            assert_law(name, estimator, case, [ids], f"{np.dtype(dtype).name} in {layout}")


def check_law_read_only_memmap(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that rows may come from a read-only memory map, which stays as it is."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 7)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        np.save(path, rows.X)
        mapped = np.load(path, mmap_mode="r")
        assert_law(name, estimator, rows.replace(X=mapped), [ids], "a read-only memory map")
        if not np.array_equal(mapped, rows.X):
            raise AssertionError(f"{name}: unlearn wrote into the user's memory-mapped X.")
        mapped._mmap.close()


def check_law_pandas(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that the index of a pandas frame provides the ids."""
    try:
        import pandas as pd
    except ImportError:
        raise SkipTest("pandas is not installed") from None
    rows = make_rows(estimator, seed)
    labels = [f"person {i}" for i in rows.ids]
    columns = [f"feature {j}" for j in range(rows.X.shape[1])]
    frame = pd.DataFrame(rows.X, columns=columns, index=labels)
    y = None if rows.y is None else pd.Series(rows.y, index=labels)
    ids = some_ids(rows.replace(ids=labels), np.random.default_rng(seed), 7)
    model = fitted(estimator, Rows(frame, y, None)).unlearn(ids)
    kept = Rows(frame, y, labels).without(ids)
    retrained = fitted(estimator, kept.replace(ids=None))
    if model.sample_ids_.tolist() != list(kept.ids):
        raise AssertionError(f"{name}: the index of a pandas X must provide the ids.")
    assert_like_retrained(name, model, retrained, frame, "a pandas frame")


def check_law_polars(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that rows may come from a polars frame."""
    try:
        import polars as pl
    except ImportError:
        raise SkipTest("polars is not installed") from None
    rows = make_rows(estimator, seed)
    columns = [f"feature {j}" for j in range(rows.X.shape[1])]
    case = rows.replace(X=pl.DataFrame(rows.X, schema=columns))
    ids = some_ids(rows, np.random.default_rng(seed), 7)
    assert_law(name, estimator, case, [ids], "a polars frame")


def check_law_sparse(name: str, estimator: Any, seed: int = 0) -> None:
    """Check sparse rows, if the estimator takes them."""
    rows = make_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    X = np.where(rng.random(rows.X.shape) < 0.5, 0.0, rows.X)
    ids = some_ids(rows, rng, 7)
    for form in (sparse.csr_array, sparse.csc_matrix):
        case = rows.replace(X=sparse.csr_array(X)).replace(X=form(X))
        model = fitted(estimator, case).unlearn(ids)
        retrained = fitted(estimator, rows.replace(X=sparse.csr_array(X)).without(ids))
        assert_like_retrained(name, model, retrained, sparse.csr_array(X), form.__name__)


def check_law_sample_weights(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that rows are forgotten with their weights."""
    rows = make_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    ids = some_ids(rows, rng, 7)
    whole = rng.integers(1, 4, size=len(rows.ids)).astype(float)
    for kind, weight in {"real": rng.random(len(rows.ids)) + 0.1, "integer": whole}.items():
        case = rows.replace(weight=weight)
        assert_law(name, estimator, case, [ids[:1], ids[1:]], f"{kind} sample weights")


def check_law_vanished_class(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that a class without rows vanishes, or that the request is refused as `fit` would."""
    rows = make_rows(estimator, seed)
    last = np.asarray(rows.y).max()
    names = np.array(["class a", "class b", "class c"])[rows.y]
    for y in (rows.y, names):
        gone = rows.ids[rows.y == last].tolist()
        assert_law(name, estimator, rows.replace(y=y), [gone], "the last class vanishes")
        halves = [gone[::2], gone[1::2]]
        assert_law(name, estimator, rows.replace(y=y), halves, "the last class vanishes in two")
    gone = rows.ids[rows.y != last].tolist()
    assert_law(name, estimator, rows, [gone], "a single class is left")


def check_law_outliers(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that rows a million times larger than the others leave no rounding error behind."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 3)
    X = rows.X.copy()
    X[np.isin(rows.ids, ids)] *= 1e6
    assert_law(name, estimator, rows.replace(X=X), [ids[:1], ids[1:]], "huge outliers go")


def check_law_constant_column(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that a column which becomes constant is treated as `fit` treats one."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 3)
    X = rows.X.copy()
    X[~np.isin(rows.ids, ids), 1] = 1.7
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
    """Return the checks of this section that apply to the estimator."""
    tags = get_tags(estimator)
    checks = [
        check_law_single_rows,
        check_law_any_order_and_split,
        check_law_repeated_ids,
        check_law_id_kinds,
        check_law_dtypes_and_layouts,
        check_law_read_only_memmap,
        check_law_pandas,
        check_law_polars,
        check_law_outliers,
        check_law_constant_column,
        check_law_leaves_user_data_alone,
    ]
    if tags.input_tags.sparse:
        checks.append(check_law_sparse)
    if takes_weights(estimator):
        checks.append(check_law_sample_weights)
    if is_classifier(estimator):
        checks.append(check_law_vanished_class)
    if "random_state" in estimator.get_params(deep=False):
        checks.append(check_law_random_state)
    return checks
