"""Read a user's CSV or Parquet file into a table of numbers and texts.

What becomes of a value depends on the value and its column's type alone: whatever has to look at
other rows is left to pipelines, which forget.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import numpy as np

from skunlearn._demo._pipelines import MAX_CATEGORIES
from skunlearn._demo._table import MAX_CLASSES, MIN_PER_CLASS, DemoError, Table

LARGEST = 1e30


def read_file(
    path: Path,
    target: str,
    id_column: str | None = None,
    *,
    ignore: tuple[str, ...] = (),
    task: str | None = None,
) -> Table:
    """Read a file.

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
    columns = [
        _plain(frame[column], path, notes) for column in frame.columns if column not in left_out
    ]
    if not columns:
        raise DemoError(f"{path}: no column is left to predict {target!r} from")
    if ignore:
        notes.append(f"Left out as asked: {', '.join(ignore)}.")
    return Table(
        path.name.split(".")[0],
        f"file {path.name}, {len(frame):,} rows, "
        + (f"ids from column {id_column}" if id_column else "every row is its own id"),
        _side_by_side(columns),
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


def _plain(column: Any, path: Path, notes: list[str]) -> Any:
    """Return a column as plain numbers, dates in days since 1970, or as texts."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        start = pd.Timestamp(0, tz=getattr(column.dtype, "tz", None))
        elapsed = column if column.dtype.kind == "m" else column - start
        return elapsed / pd.Timedelta(days=1)
    if not pd.api.types.is_numeric_dtype(column):
        return _texts(column, notes)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    finite = np.isfinite(values)
    if np.max(np.abs(values), where=finite, initial=0) > LARGEST:
        raise DemoError(f"{path}: column {column.name!r} has values beyond {LARGEST:g}")
    if np.isinf(values).any():
        notes.append(f"Column {column.name}: infinite values count as missing.")
    return pd.Series(np.where(finite, values, np.nan), column.index, name=column.name)


def _texts(column: Any, notes: list[str]) -> Any:
    import pandas as pd

    known = column.notna().to_numpy()
    texts = np.full(len(column), np.nan, dtype=object)
    texts[known] = [str(value) for value in column[known]]
    n_values = len(set(texts[known]))
    if n_values > MAX_CATEGORIES:
        notes.append(
            f"Column {column.name} has {n_values:,} distinct texts: encoders keep the "
            f"{MAX_CATEGORIES - 1} most frequent among the rows held and put the others together."
        )
    return pd.Series(texts, column.index, dtype=object, name=column.name)


def _side_by_side(columns: list[Any]) -> Any:
    import pandas as pd

    return pd.concat(columns, axis=1)
