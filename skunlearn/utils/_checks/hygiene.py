"""Nothing stays behind: a canary row is looked for in all that a model stores (section 3)."""

from __future__ import annotations

import copy
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import get_tags

from skunlearn._samples.hashing import hash_ids
from skunlearn._samples.ids import as_keys
from skunlearn._unlearning.tags import get_unlearning_tags
from skunlearn.utils._checks.data import (
    Rows,
    fitted,
    kind_of_rows,
    make_rows,
    some_ids,
    takes_weights,
)
from skunlearn.utils._checks.haystack import buffers, files, floats, pickles

FOLDER_PARAMETERS = ("memory", "checkpoint", "checkpoint_dir", "cache_dir")
_CANARY = 11


def _numbers(value: float, what: str) -> dict[bytes, str]:
    return {
        struct.pack("<d", value): f"{what} as float64",
        struct.pack(">d", value): f"{what} as a pickled float",
    }


def _letters(value: str, what: str) -> dict[bytes, str]:
    encodings = ("utf-8", "utf-16-le", "utf-32-le")
    return {value.encode(encoding): f"{what} in {encoding}" for encoding in encodings}


def _strings(X: np.ndarray) -> dict[bytes, str]:
    """Return the byte patterns of the canary's text and of its words that no other text has."""
    others = {word for text in np.delete(X, _CANARY) for word in text.split()}
    words = set(X[_CANARY].split()) - others
    patterns = _letters(X[_CANARY], "its text")
    for word in words:
        patterns |= _letters(word, f"its word {word!r}")
    return patterns


def _traces(rows: Rows) -> tuple[dict[bytes, str], dict[bytes, str]]:
    """Return the byte patterns of the canary row's id and of its values that no other row has."""
    key = as_keys(rows.ids)[_CANARY]
    ids = {struct.pack("<Q", int(hash_ids([key])[0])): "the hash of its id"}
    if isinstance(key, str):
        ids |= _letters(key, "its id")
    else:
        ids[struct.pack("<q", key)] = "its id as int64"
    if rows.X.ndim == 1:
        return ids, _strings(rows.X)
    table = rows.X.toarray() if sparse.issparse(rows.X) else rows.X
    row = table[_CANARY]
    telling = (table == row).sum(axis=0) == 1
    values: dict[bytes, str] = {}
    for position in np.flatnonzero(telling).tolist():
        values |= _numbers(float(row[position]), f"the value of its feature {position}")
    if rows.X.dtype == np.float32 and telling.all():
        values[row.astype("<f4").tobytes()] = "all its values as float32"
        for position in range(len(row) - 1):
            pair = row[position : position + 2].astype("<f4").tobytes()
            values[pair] = f"the values of its features {position} and {position + 1} as float32"
    for extra, what in ((rows.y, "target"), (rows.weight, "weight")):
        if extra is not None and extra.dtype.kind == "f":
            values |= _numbers(float(extra[_CANARY]), f"its {what}")
    return ids, values


def _first_hit(positions: Iterator[tuple[str, bytes]], patterns: dict[bytes, str]) -> str | None:
    for where, content in positions:
        for pattern, what in patterns.items():
            if pattern in content:
                return f"{what} is in {where}"
    return None


def _search(model: Any, folder: Path, patterns: dict[bytes, str]) -> str | None:
    return (
        _first_hit(buffers(model), patterns)
        or _first_hit(pickles(model), patterns)
        or _first_hit(files(folder), patterns)
    )


@contextmanager
def watched_folder() -> Iterator[Path]:
    """Make a folder that is also where temporary files go."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(tempfile, "tempdir", folder):
        yield Path(folder)


def _fit_with_files(estimator: Any, rows: Rows, folder: Path) -> Any:
    """Fit an estimator that writes its files, if it writes any, to the given folder."""
    parameters = estimator.get_params(deep=False).keys() & FOLDER_PARAMETERS
    chatty = clone(estimator).set_params(**dict.fromkeys(parameters, str(folder)))
    try:
        return fitted(chatty, rows)
    except ValueError:  # it has the parameter, but refuses to write files
        return fitted(estimator, rows)


def _assert_forgets_canary(name: str, estimator: Any, rows: Rows, circumstance: str) -> None:
    ids, values = _traces(rows)
    canary = list(rows.ids)[_CANARY]
    tags: Any = get_unlearning_tags(estimator)
    scope = tags.scope
    with watched_folder() as folder:
        model = _fit_with_files(estimator, rows, folder)
        model.find_samples(rows.X[[_CANARY]])
        if _search(model, folder, ids) is None:
            raise AssertionError(
                f"{name}: the id of a row that the model holds was not found in its state "
                f"({circumstance}), so this check could not prove anything."
            )
        model.unlearn(canary)
        if scope == "output":
            model.purge()
        hit = _search(model, folder, ids | values)
    if hit is not None:
        after = "unlearn and purge" if scope == "output" else "unlearn"
        raise AssertionError(
            f"{name}: after {after} ({circumstance}) something of the removed row stays behind: "
            f"{hit}."
        )


def check_nothing_stays_behind(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that neither values nor id of a removed row are in buffers, pickles or files."""
    rows = make_rows(estimator, seed)
    rng = np.random.default_rng(seed)
    if takes_weights(estimator):
        rows = rows.replace(weight=rng.random(len(rows.ids)) + 0.5)
    big = rng.integers(1 << 60, 1 << 62, size=len(rows.ids))
    words = np.array([f"canary-{number:x}" for number in big])
    kind = kind_of_rows(estimator)
    if kind == "labels":
        lone = rows.X.astype(object)
        lone[_CANARY] = f"label{big[_CANARY]:x}"
        rows = rows.replace(X=lone.astype(str))
    form = "float64" if kind == "table" else kind
    _assert_forgets_canary(name, estimator, rows.replace(ids=big), f"integer ids, {form}")
    _assert_forgets_canary(name, estimator, rows.replace(ids=words), f"string ids, {form}")
    if kind != "table":
        return
    narrow = rows.X.astype(np.float32)
    _assert_forgets_canary(
        name, estimator, rows.replace(ids=words.tolist(), X=narrow), "a list of ids, float32"
    )
    if get_tags(estimator).input_tags.sparse:
        case = rows.replace(ids=big, X=sparse.csr_array(rows.X))
        _assert_forgets_canary(name, estimator, case, "integer ids, sparse float64")


def check_no_earlier_state_is_kept(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that no float of the former model is left that retraining would not give."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 5)
    model = fitted(estimator, rows)
    former = floats(model)
    model.unlearn(ids)
    tags: Any = get_unlearning_tags(estimator)
    if tags.scope == "output":
        model.purge()
    legitimate = floats(fitted(estimator, rows.without(ids)))
    for word, where in floats(model).items():
        if word in former and word not in legitimate:
            raise AssertionError(
                f"{name}: an earlier state stays behind after unlearn: a number "
                f"({np.frombuffer(word)[0]:.6g}) of the model before is in {where}, and retraining "
                "on the kept rows does not produce it."
            )


def _private_arrays(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays among private attributes, and those that wiping an attribute overwrites."""
    for name, value in vars(model).items():
        if name[0] == "_":
            if isinstance(value, np.ndarray):
                yield name, value
            # Arrays in a tuple are read in predictions, as public ones are.
            for part in value if isinstance(value, tuple) else (value,):
                if hasattr(part, "wipe"):
                    twin = copy.deepcopy(part)
                    twin.wipe()
                    for inner, array in getattr(part, "__dict__", {}).items():
                        if isinstance(array, np.ndarray) and _is_blank(vars(twin).get(inner)):
                            yield name, array


def _is_blank(array: Any) -> bool:
    return isinstance(array, np.ndarray) and not np.any(array != np.zeros((), dtype=array.dtype))


def check_former_buffers_are_overwritten(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that private arrays that a request replaces hold nothing afterwards."""
    rows = make_rows(estimator, seed)
    model = fitted(estimator, rows)
    former = list(_private_arrays(model))
    model.unlearn(some_ids(rows, np.random.default_rng(seed), 5))
    held = [array for _, array in _private_arrays(model)]
    for attribute, array in former:
        if not _is_blank(array) and not any(np.may_share_memory(array, other) for other in held):
            raise AssertionError(
                f"{name}: the array in `{attribute}` was replaced by a request and still has its "
                "numbers. Name the attribute in `_overwritten`."
            )


def hygiene_checks(estimator: Any) -> list[Any]:
    """Return the checks of this section that apply to the estimator."""
    return [
        check_nothing_stays_behind,
        check_no_earlier_state_is_kept,
        check_former_buffers_are_overwritten,
    ]
