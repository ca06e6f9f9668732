"""Rows of Python objects: hashed and compared by value, whatever library the values come from."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np


def hash_lists(rows: list[list[Any]]) -> np.ndarray:
    """Hash rows of Python objects by value."""
    texts = (repr(row).encode("utf-8", "surrogatepass") for row in map(_plain_row, rows))
    digests = [hashlib.blake2b(text, digest_size=8).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def lists_equal(rows: list[list[Any]], query: list[list[Any]]) -> np.ndarray:
    """Tell which rows of Python objects equal the one row of a query."""
    (wanted,) = map(_plain_row, query)
    return np.array([_plain_row(row) == wanted for row in rows], dtype=bool)


def _plain_row(row: list[Any]) -> list[Any]:
    """Return a row as Python objects of which equal ones have equal texts."""
    return [_plain(value) for value in row]


def _plain(value: Any) -> Any:
    if isinstance(value, np.bool_ | np.number):
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float):
        if value != value:
            return None
        return int(value) if value.is_integer() else value
    return int(value) if isinstance(value, bool) else value
