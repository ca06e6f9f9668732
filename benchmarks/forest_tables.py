"""Tables on which forests compete: synthetic ones, and real ones from the folder SKUNLEARN_DATA."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_classification

from benchmarks.tools import scaled

SYNTHETIC = {"synthetic 20k x 20": 20_000, "synthetic 100k x 20": 100_000}
REAL = {
    "Adult": ("adult.csv.gz", "income"),
    "bank": ("bank-full.csv.gz", "y"),
    "credit": ("credit-card-clients.csv.gz", "default payment"),
}


@dataclass(frozen=True)
class Table:
    """Rows to learn from and rows to predict, for two classes.

    `native` holds categories as they are, `codes` as numbers in the order of their names, -1 for a
    missing one; both are pairs of (training, test). Without categories they are the same.
    """

    name: str
    native: tuple[Any, Any]
    codes: tuple[np.ndarray, np.ndarray]
    y: tuple[np.ndarray, np.ndarray]


def synthetic_rows(n_rows):
    X, y = make_classification(
        n_rows, 20, n_informative=10, n_redundant=4, flip_y=0.05, random_state=0
    )
    return X.astype(np.float32), y


def load(name):
    """Make or read a table; None without the folder that holds it."""
    if name in SYNTHETIC:
        n = scaled(SYNTHETIC[name])
        X, y = synthetic_rows(n + 20_000)
        parts = X[:n], X[n:]
        return Table(name, parts, parts, (y[:n], y[n:]))
    folder = os.environ.get("SKUNLEARN_DATA")
    return _read(name, Path(folder)) if folder else None


def _read(name, folder):
    import pandas as pd

    file, target = REAL[name]
    frame = pd.read_csv(folder / file)
    rng = np.random.default_rng(0)
    test = rng.random(len(frame)) < 0.25
    if "split" in frame:
        test = (frame.pop("split") == "test").to_numpy()
    frame = frame.drop(columns="person_id", errors="ignore")
    _, y = np.unique(frame.pop(target), return_inverse=True)
    train = rng.permutation(np.flatnonzero(~test))
    parts = train[: min(train.size, scaled(train.size))], np.flatnonzero(test)
    words = [column for column in frame if not pd.api.types.is_numeric_dtype(frame[column])]
    frame = frame.astype(dict.fromkeys(words, "category"))
    codes = frame.assign(**{word: frame[word].cat.codes for word in words})
    codes = codes.to_numpy(dtype=np.float32)
    native = tuple(frame.iloc[part].reset_index(drop=True) for part in parts)
    return Table(name, native, tuple(codes[p] for p in parts), tuple(y[p] for p in parts))
