"""What a sample id is: validation at fit, canonical keys for look-up and hashing."""

from __future__ import annotations

import datetime
import enum
import uuid
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Kind", "SampleIds", "as_keys", "canonical_key", "check_sample_ids", "shown"]

# Where ids come from; the last is also what `fit` takes from users who mean it.
SAMPLE_IDS, INDEX, ROW_NUMBERS = "sample_ids", "index", "row numbers"

_NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
_NANOSECONDS |= {"m": 60 * 10**9, "h": 3600 * 10**9, "D": 86400 * 10**9, "W": 7 * 86400 * 10**9}

_ACCEPTED = "integers, strings, floats, datetimes, UUIDs or tuples of these"


class Kind(enum.Enum):
    """Marks canonical keys for which Python's own equality would confuse two kinds of id."""

    INSTANT = "datetime64"
    DURATION = "timedelta64"


def _missing() -> ValueError:
    return ValueError("sample_ids contains a missing value; every row needs an id.")


def canonical_key(value: Any) -> Any:
    """Map an id to a hashable Python object that is equal for equal ids.

    Parameters
    ----------
    value : int, float, str, bytes, datetime, timedelta, UUID or tuple of these
        NumPy and pandas scalars included.

    Returns
    -------
    key : int, float, str, bytes, UUID or tuple
        ``1``, ``np.int32(1)`` and ``1.0`` share one key; ``"1"`` has another.

    Raises
    ------
    ValueError
        If the value is missing, a boolean, or of a type that is no id.
    """
    if type(value) is int or type(value) is str:
        return value
    if isinstance(value, bool | np.bool_):
        raise ValueError("sample_ids takes the ids themselves, not booleans or a boolean mask.")
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        raise _missing()
    if isinstance(value, np.datetime64 | datetime.date):
        return _times(np.atleast_1d(_naive(value)))[0]
    if isinstance(value, np.timedelta64 | datetime.timedelta):
        if hasattr(value, "to_timedelta64"):
            value = value.to_timedelta64()
        return _times(np.atleast_1d(np.timedelta64(value)))[0]
    if isinstance(value, np.generic):
        return canonical_key(value.item())
    if isinstance(value, float):
        if value != value:
            raise _missing()
        return int(value) if value.is_integer() else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes | uuid.UUID):
        return value
    if isinstance(value, tuple):
        return tuple(canonical_key(part) for part in value)
    raise ValueError(f"A sample id must be {_ACCEPTED}; got {type(value).__name__}: {value!r}.")


def _naive(value: Any) -> np.datetime64:
    """Turn an instant into UTC without saying so; naive ones are taken as they are."""
    if getattr(value, "tzinfo", None) is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    if hasattr(value, "to_datetime64"):
        value = value.to_datetime64()
    return np.datetime64(value)


def _times(values: np.ndarray) -> list[tuple[Kind, int]]:
    """Count nanoseconds in Python's integers: years beyond 2262 do not fit into 64 bits."""
    if np.isnat(values).any():
        raise _missing()
    kind = values.dtype.kind
    unit, step = np.datetime_data(values.dtype)
    if unit in ("Y", "M"):
        values, unit, step = values.astype(f"{kind}8[D]"), "D", 1
    if unit not in _NANOSECONDS:
        raise ValueError(f"Times that are ids have a unit from nanoseconds to years, not {unit!r}.")
    factor = step * _NANOSECONDS[unit]
    marker = Kind.INSTANT if kind == "M" else Kind.DURATION
    return [(marker, count * factor) for count in values.astype(np.int64).tolist()]


def is_tuple_id(key: Any) -> bool:
    """Tell whether a canonical key is that of a tuple, not of a time."""
    return type(key) is tuple and not (key and isinstance(key[0], Kind))


def shown(key: Any) -> Any:
    """Turn a canonical key back into something a user recognises in an error message."""
    if isinstance(key, tuple) and key and isinstance(key[0], Kind):
        kind = np.datetime64 if key[0] is Kind.INSTANT else np.timedelta64
        fits = -(1 << 63) < key[1] < 1 << 63
        return str(kind(key[1], "ns") if fits else kind(key[1] // 10**9, "s"))
    return key


def as_keys(ids: Any, *, tuples: bool = False) -> list[Any]:
    """Turn a request (one id or an array-like of ids) into a list of canonical keys.

    Parameters
    ----------
    ids : id or array-like of shape (n_ids,)
        A single id, or any one-dimensional collection of ids.

    tuples : bool, default=False
        Whether the model has ids that are tuples, so that a lone tuple is one id.

    Returns
    -------
    keys : list
        In the order given, repeats included.
    """
    if type(ids) is int or type(ids) is str:
        return [ids]
    if type(ids) is np.ndarray and ids.ndim == 1 and ids.dtype.kind in "iuU":
        return ids.tolist()
    if not isinstance(ids, Iterable) or isinstance(ids, str | bytes):
        return [canonical_key(ids)]
    if isinstance(ids, tuple) and tuples and not all(isinstance(part, tuple) for part in ids):
        return [canonical_key(ids)]
    values = _one_dimensional(ids)
    if isinstance(values, np.ndarray):
        if values.ndim == 0:
            return [canonical_key(values[()])]
        if values.dtype.kind in "mM":
            return _times(values)
        values = values.tolist() if values.dtype.kind in "biufUSO" else list(values)
    if set(map(type, values)) <= {int, str}:
        return list(values)
    return [canonical_key(value) for value in values]


def _one_dimensional(ids: Any) -> np.ndarray | Sequence[Any]:
    if hasattr(ids, "to_numpy"):
        ids = ids.to_numpy()
    if not isinstance(ids, np.ndarray):
        return list(ids)
    if ids.ndim > 1:
        raise ValueError(f"sample_ids must be one-dimensional; got an array of shape {ids.shape}.")
    if np.ma.is_masked(ids):
        raise _missing()
    return np.asarray(ids)


class SampleIds(NamedTuple):
    """By what rows go, and who said so.

    Parameters
    ----------
    values : ndarray of shape (n_samples,) or None
        A fresh array in the ids' own kind (int64, float64, times, str or object);
        None stands for ``0..n_samples-1``.

    source : {'sample_ids', 'index', 'row numbers'}, default='sample_ids'
        Where they come from.

    acknowledged : bool, default=False
        Whether the user said that row numbers are meant.
    """

    values: np.ndarray | None
    source: str = SAMPLE_IDS
    acknowledged: bool = False

    def for_parts(self) -> Any:
        """Return what the parts of a composition get as `sample_ids`."""
        return ROW_NUMBERS if self.acknowledged else self.values


def check_sample_ids(sample_ids: Any, X: Any, n_samples: int) -> SampleIds:
    """Validate the ids given to `fit`, or take them from a data frame's index.

    Parameters
    ----------
    sample_ids : array-like of shape (n_samples,), 'row numbers' or None
        None means ``X.index`` where X is a pandas object whose index is not the default one, else
        ``0..n_samples-1``.

    X : array-like or data frame
        The training data as the user passed it.

    n_samples : int
        Number of training rows.

    Returns
    -------
    ids : SampleIds

    Raises
    ------
    ValueError
        If the ids are missing, of the wrong length or shape, or of a type that is no id.
    """
    source = SAMPLE_IDS
    if sample_ids is None:
        index = getattr(X, "index", None)
        if index is None or callable(index):
            return SampleIds(None, ROW_NUMBERS)
        if type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1:
            return SampleIds(None, ROW_NUMBERS)
        sample_ids, source = index, INDEX
    elif isinstance(sample_ids, str) and sample_ids == ROW_NUMBERS:
        return SampleIds(None, ROW_NUMBERS, acknowledged=True)
    unordered = isinstance(sample_ids, str | bytes | Set | Mapping)
    if unordered or not isinstance(sample_ids, Iterable) or getattr(sample_ids, "ndim", 1) == 0:
        raise ValueError(
            f"sample_ids must hold one id per row ({n_samples} rows), or be {ROW_NUMBERS!r}; got "
            f"{sample_ids!r}."
        )
    values = _one_dimensional(sample_ids)
    n_ids = values.size if isinstance(values, np.ndarray) else len(values)
    if n_ids != n_samples:
        raise ValueError(
            f"sample_ids must hold one id per row: got {n_ids} ids for {n_samples} rows."
        )
    return SampleIds(as_id_array(values), source)


def joined_ids(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Join arrays of ids, which may be of different kinds."""
    if first.dtype.kind == second.dtype.kind:
        return np.concatenate([first, second])
    joined = np.empty(first.size + second.size, dtype=object)
    parts = [ids.tolist() if ids.dtype.kind in "ifOUS" else list(ids) for ids in (first, second)]
    for position, key in enumerate([*parts[0], *parts[1]]):
        joined[position] = key
    return joined


def as_id_array(values: np.ndarray | Sequence[Any]) -> np.ndarray:
    """Copy ids to an array of the dtype that they need."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        kind = values.dtype.kind
        if kind == "b" or (kind == "u" and values.dtype.itemsize == 8) or kind not in "iufUSmM":
            return as_id_array(values.tolist())
        if kind in "mM":
            _times(values)
        if kind == "f" and np.isnan(values).any():
            raise _missing()
        if kind in "US":
            return np.array(values, dtype=f"{kind}{max(1, int(np.char.str_len(values).max()))}")
        target: dict[str, Any] = {"i": np.int64, "u": np.int64, "f": np.float64}
        return np.array(values, dtype=target.get(kind, values.dtype))
    items = list(values)
    types = set(map(type, items))
    if types == {int}:
        ids = np.array(items)
        if ids.dtype == np.int64:
            return ids
    elif not types <= {int, str}:
        for item in items:
            canonical_key(item)
    return np.fromiter(items, dtype=object, count=len(items))
