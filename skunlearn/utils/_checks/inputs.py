"""The law for all the ways in which rows, weights and ids come in (contract, section 2)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
from scipy import sparse
from sklearn.utils import get_tags

from skunlearn.utils._checks.data import (
    Rows,
    assert_like_retrained,
    fitted,
    kind_of_rows,
    make_rows,
    some_ids,
    takes_weights,
)
from skunlearn.utils._checks.law import assert_law


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
    """Check that the index of a pandas frame, or of a series, provides the ids."""
    try:
        import pandas as pd
    except ImportError:
        raise SkipTest("pandas is not installed") from None
    rows = make_rows(estimator, seed)
    labels = [f"person {i}" for i in rows.ids]
    if kind_of_rows(estimator) == "table":
        columns = [f"feature {j}" for j in range(rows.X.shape[1])]
        frame = pd.DataFrame(rows.X, columns=columns, index=labels)
    else:
        frame = pd.Series(rows.X, index=labels)
    y = None if rows.y is None else pd.Series(rows.y, index=labels)
    ids = some_ids(rows.replace(ids=labels), np.random.default_rng(seed), 7)
    model = fitted(estimator, Rows(frame, y, None)).unlearn(ids)
    kept = Rows(frame, y, labels).without(ids)
    retrained = fitted(estimator, kept.replace(ids=None))
    if model.sample_ids_.tolist() != list(kept.ids):
        raise AssertionError(f"{name}: the index of a pandas X must provide the ids.")
    assert_like_retrained(name, model, retrained, frame, "a pandas frame")


def check_law_polars(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that rows may come from a polars frame or series."""
    try:
        import polars as pl
    except ImportError:
        raise SkipTest("polars is not installed") from None
    rows = make_rows(estimator, seed)
    if kind_of_rows(estimator) == "table":
        columns = [f"feature {j}" for j in range(rows.X.shape[1])]
        case = rows.replace(X=pl.DataFrame(rows.X, schema=columns))
    else:
        case = rows.replace(X=pl.Series(rows.X.tolist()))
    ids = some_ids(rows, np.random.default_rng(seed), 7)
    assert_law(name, estimator, case, [ids], "a polars frame")


def check_law_sparse(name: str, estimator: Any, seed: int = 0) -> None:
    """Check sparse rows, if the estimator takes them."""
    rows = make_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    X = np.where(rng.random(rows.X.shape) < 0.5, 0.0, rows.X)
    ids = some_ids(rows, rng, 7)
    for form in (sparse.csr_array, sparse.csc_matrix):
        case = rows.replace(X=form(X))
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


def input_checks(estimator: Any) -> list[Any]:
    """Return the checks of this file that apply to the estimator."""
    checks = [check_law_id_kinds, check_law_pandas, check_law_polars]
    if kind_of_rows(estimator) == "table":
        checks += [check_law_dtypes_and_layouts, check_law_read_only_memmap]
    if get_tags(estimator).input_tags.sparse:
        checks.append(check_law_sparse)
    if takes_weights(estimator):
        checks.append(check_law_sample_weights)
    return checks
