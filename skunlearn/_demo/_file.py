"""Read a user's CSV or Parquet file into a table of numbers, one row at a time in spirit.

What a row is encoded to depends on that row and on a declared schema alone, so that the encoding
has nothing to forget.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder

from skunlearn._demo._errors import DemoError
from skunlearn._demo._table import MAX_CLASSES, MIN_PER_CLASS, Table
from skunlearn._hashing import hash_ids

MAX_CATEGORIES = 50
N_BUCKETS = 32
MAX_TEXT_VALUES = 1000
MISSING = "(missing)"
LARGEST = 1e30


def read_file(
    path: Path,
    target: str,
    id_column: str | None = None,
    *,
    ignore: tuple[str, ...] = (),
    task: str | None = None,
) -> Table:
    """Read a file and encode it.

    Parameters
    ----------
    path : Path
        A ``.csv``, ``.csv.gz`` or ``.parquet`` file.

    target : str
        Column to predict.

    id_column : str, default=None
        Column of ids, which may repeat; without it every row is its own id.

    ignore : tuple of str, default=()
        Columns to leave out.

    task : {'classification', 'regression'}, default=None
        None goes by the target: text, booleans and up to 20 distinct integers are classes.

    Returns
    -------
    table : Table

    Raises
    ------
    DemoError
        If the file or a column is not usable.
    """
    frame = _read_frame(path)
    for column in (target, *([id_column] if id_column else []), *ignore):
        _check_column(frame, column, path)
    if id_column == target:
        raise DemoError(f"{path}: column {target!r} cannot be both target and id")
    notes: list[str] = []
    frame = _drop_rows_without_target(frame, target, notes)
    y, classes, frame = _target(frame, target, task, path, notes)
    left_out = {target, id_column, *ignore}
    ids = np.arange(len(frame)) if id_column is None else _ids(frame, id_column, path)
    blocks = [
        block
        for column in frame.columns
        if column not in left_out and (block := _encode(frame[column], path, notes)) is not None
    ]
    if not blocks:
        raise DemoError(f"{path}: no column is left to predict {target!r} from")
    if ignore:
        notes.append(f"Left out as asked: {', '.join(ignore)}.")
    return Table(
        path.name.split(".")[0],
        f"file {path.name}, {len(frame):,} rows, "
        + (f"ids from column {id_column}" if id_column else "every row is its own id"),
        np.ascontiguousarray(np.hstack(blocks)),
        y,
        ids,
        target,
        classes,
        tuple(notes),
    )


def _read_frame(path: Path) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise DemoError("--data needs pandas: pip install 'skunlearn[frames]'") from error
    if not path.exists():
        raise DemoError(f"{path}: no such file")
    if not path.is_file():
        raise DemoError(f"{path}: not a file")
    kind = path.name.lower().removesuffix(".gz")
    try:
        if kind.endswith(".csv"):
            frame = pd.read_csv(path, low_memory=False)
        elif kind.endswith((".parquet", ".pq")):
            frame = pd.read_parquet(path)
        else:
            raise DemoError(f"{path}: unknown file type; give a .csv, .csv.gz or .parquet file")
    except ImportError as error:
        raise DemoError(
            f"{path}: reading Parquet needs pyarrow: pip install 'skunlearn[frames]'"
        ) from error
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DemoError(f"{path}: cannot be read as {kind.rsplit('.')[-1]}: {reason}") from error
    if not len(frame):
        raise DemoError(f"{path}: the file has no rows")
    frame.columns = [str(column) for column in frame.columns]
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DemoError(f"{path}: two columns are named {twice!r}")
    for column in frame.select_dtypes("category"):
        frame[column] = frame[column].astype(object)
    return frame.reset_index(drop=True)


def _check_column(frame: Any, column: str, path: Path) -> None:
    columns = list(frame.columns)
    if column in columns:
        return
    folded = {name.casefold(): name for name in columns}
    close = difflib.get_close_matches(column.casefold(), list(folded), n=3)
    hint = f"; did you mean {' or '.join(repr(folded[name]) for name in close)}?" if close else ""
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        hint = "; the file does not seem to be separated by commas"
    raise DemoError(f"{path}: no column {column!r}{hint} (columns: {', '.join(columns)})")


def _drop_rows_without_target(frame: Any, target: str, notes: list[str]) -> Any:
    missing = frame[target].isna()
    if missing.any():
        notes.append(f"{int(missing.sum()):,} rows without a value of {target} were left out.")
        frame = frame[~missing].reset_index(drop=True)
    return frame


def _ids(frame: Any, column: str, path: Path) -> np.ndarray:
    values = frame[column]
    missing = values.isna()
    if missing.any():
        raise DemoError(
            f"{path}: id column {column!r} is empty in {int(missing.sum()):,} rows "
            f"(first: data row {int(missing.to_numpy().argmax()) + 1}); every row needs an id"
        )
    return values.to_numpy() if values.dtype.kind in "iuO" else values.astype(str).to_numpy(object)


def _target(
    frame: Any, target: str, task: str | None, path: Path, notes: list[str]
) -> tuple[np.ndarray, tuple[str, ...], Any]:
    import pandas as pd

    values = frame[target]
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if task is None:
        counted = numeric and (values % 1 == 0).all() and values.nunique() <= 20
        task = "classification" if counted or not numeric else "regression"
    if task == "regression":
        if not numeric:
            raise DemoError(f"{path}: target column {target!r} is not numeric")
        y = values.to_numpy(dtype=np.float64)
        if not np.isfinite(y).all():
            raise DemoError(f"{path}: target column {target!r} has infinite values")
        if not np.ptp(y):
            raise DemoError(f"{path}: target column {target!r} has one value only: {y[0]:g}")
        return y, (), frame
    counts = values.value_counts()
    if len(counts) == 1:
        raise DemoError(f"{path}: target column {target!r} has one class only: {counts.index[0]!r}")
    if len(counts) > MAX_CLASSES:
        raise DemoError(
            f"{path}: target column {target!r} has {len(counts):,} classes; "
            f"at most {MAX_CLASSES} are supported"
        )
    rare = counts.index[counts < MIN_PER_CLASS]
    if len(counts) - len(rare) < 2:
        raise DemoError(
            f"{path}: target column {target!r} has too few rows per class: at least two classes "
            f"need {MIN_PER_CLASS} rows each"
        )
    if len(rare):
        names = ", ".join(str(name) for name in rare)
        notes.append(f"Classes with fewer than {MIN_PER_CLASS} rows were left out: {names}.")
        frame = frame[~values.isin(rare)].reset_index(drop=True)
        values = frame[target]
    codes, names = pd.factorize(values, sort=True)
    return codes.astype(np.int64), tuple(str(name) for name in names), frame


def _encode(column: Any, path: Path, notes: list[str]) -> np.ndarray | None:
    """Encode one column; None, with a note, where it is left out."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        start = pd.Timestamp(0, tz=getattr(column.dtype, "tz", None))
        elapsed = column if column.dtype.kind == "m" else column - start
        return _numbers((elapsed / pd.Timedelta(days=1)).to_numpy(dtype=np.float64))
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.max(np.abs(values), where=np.isfinite(values), initial=0) > LARGEST:
            raise DemoError(f"{path}: column {column.name!r} has values beyond {LARGEST:g}")
        return _numbers(values)
    return _categories(column, notes)


def _numbers(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    if known.all():
        return values[:, None]
    return np.column_stack([np.where(known, values, 0.0), ~known])


def _categories(column: Any, notes: list[str]) -> np.ndarray | None:
    values = column.astype(object).where(column.notna(), MISSING).astype(str)
    schema = sorted(values.unique())
    n_values = len(schema)
    if n_values > MAX_TEXT_VALUES or n_values > max(MAX_CATEGORIES, len(values) // 2):
        notes.append(f"Column {column.name} was left out: {n_values:,} distinct texts.")
        return None
    if n_values > MAX_CATEGORIES:
        notes.append(
            f"Column {column.name}: its {n_values} categories share {N_BUCKETS} columns, by hash."
        )
        buckets = {
            text: int(h) % N_BUCKETS for text, h in zip(schema, hash_ids(schema), strict=True)
        }
        schema = list(range(N_BUCKETS))
        values = values.map(buckets)
    encoder = OneHotEncoder(categories=[schema], handle_unknown="ignore", sparse_output=False)
    return encoder.fit_transform(values.to_frame().to_numpy())
