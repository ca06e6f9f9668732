"""Data frames of pandas and polars as tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from skunlearn._samples import tables
from skunlearn._samples.frame_table import FrameTable


class PandasTable(FrameTable):
    """A pandas frame: one array per column, categories as codes, other extensions as objects."""

    @classmethod
    def from_frame(cls, frame: Any) -> PandasTable:
        """Copy every column of `frame`."""
        import pandas as pd

        columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
        arrays = []
        for column in columns:
            if isinstance(column.dtype, pd.CategoricalDtype):
                array = column.cat.codes.to_numpy()
            elif isinstance(column.dtype, np.dtype):
                array = column.to_numpy()
            else:
                array = column.to_numpy(dtype=object)
            arrays.append(np.array(array, copy=True))
        table = cls(frame.columns, [column.dtype for column in columns], arrays)
        table._leave_out_unused_categories()
        return table

    def _coded(self) -> dict[int, int]:
        import pandas as pd

        is_coded = [isinstance(dtype, pd.CategoricalDtype) for dtype in self.dtypes]
        return {column: column for column in np.flatnonzero(is_coded).tolist()}

    @staticmethod
    def _with_categories(dtype: Any, used: np.ndarray) -> Any:
        return type(dtype)(dtype.categories[used], ordered=dtype.ordered)

    def _columns(self) -> list[Any]:
        import pandas as pd

        return [
            pd.Series(pd.Categorical.from_codes(array, dtype=dtype))
            if isinstance(dtype, pd.CategoricalDtype)
            else pd.Series(array, dtype=dtype)
            for array, dtype in zip(self.arrays, self.dtypes, strict=True)
        ]

    def native(self) -> Any:
        """Make the pandas frame that the arrays describe, with a plain index."""
        import pandas as pd

        frame = pd.DataFrame(dict(enumerate(self._columns())))
        frame.columns = self.names
        return frame

    def like(self, rows: Any) -> PandasTable:
        """Bring other rows into this table's float and time dtypes; the rest keep their own."""
        import pandas as pd

        if not is_pandas(rows):
            rows = pd.DataFrame(list(plain_rows(rows)))
        if rows.shape[1] != len(self.dtypes):
            raise ValueError(f"X has {rows.shape[1]} columns, but {len(self.dtypes)} were fitted.")
        columns = {
            position: rows.iloc[:, position].astype(dtype)
            if isinstance(dtype, np.dtype) and dtype.kind in "fMm"
            else rows.iloc[:, position]
            for position, dtype in enumerate(self.dtypes)
        }
        return PandasTable.from_frame(pd.DataFrame(columns))

    def rows_as_lists(self) -> list[list[Any]]:
        """List the rows as Python objects."""
        return [list(row) for row in zip(*(c.tolist() for c in self._columns()), strict=True)]


class PolarsTable(FrameTable):
    """A polars frame: numbers and times as values and missing flags, other columns as objects."""

    @classmethod
    def from_frame(cls, frame: Any) -> PolarsTable:
        """Copy every column of `frame`."""
        arrays = []
        for column in frame.get_columns():
            if _has_numbers(column.dtype):
                fill: Any = False if column.dtype.base_type().__name__ == "Boolean" else 0
                arrays.append(np.array(column.to_physical().fill_null(fill).to_numpy(), copy=True))
                arrays.append(np.array(column.is_null().to_numpy(), copy=True))
            elif _is_enum(column.dtype):
                codes = column.to_physical().to_numpy()  # of floats where entries are missing
                arrays.append(np.where(np.isnan(codes), -1, codes).astype(np.int64))
            else:
                arrays.append(np.fromiter(column.to_list(), dtype=object, count=len(column)))
        table = cls(frame.columns, frame.dtypes, arrays)
        table._leave_out_unused_categories()
        return table

    def _coded(self) -> dict[int, int]:
        coded, at = {}, 0
        for column, dtype in enumerate(self.dtypes):
            if _is_enum(dtype):
                coded[at] = column
            at += 2 if _has_numbers(dtype) else 1
        return coded

    @staticmethod
    def _with_categories(dtype: Any, used: np.ndarray) -> Any:
        return type(dtype)(dtype.categories.filter(used.tolist()))

    def native(self) -> Any:
        """Make the polars frame that the arrays describe."""
        import polars as pl

        arrays = iter(self.arrays)
        columns = []
        for name, dtype in zip(self.names, self.dtypes, strict=True):
            values = next(arrays)
            if _has_numbers(dtype):
                column = pl.Series(name, values).cast(dtype).set(pl.Series(next(arrays)), None)
            elif _is_enum(dtype):
                categories = np.array([*dtype.categories, None], dtype=object)
                column = pl.Series(name, categories[values].tolist(), dtype=dtype)
            else:
                column = pl.Series(name, values.tolist(), dtype=dtype)
            columns.append(column)
        return pl.DataFrame(columns)

    def like(self, rows: Any) -> PolarsTable:
        """Bring other rows into this table's float and time dtypes; the rest keep their own."""
        import polars as pl

        names = self.names
        if not is_polars(rows):
            rows = pl.DataFrame(list(plain_rows(rows)), schema=names, orient="row", strict=False)
        if rows.columns != names:
            raise ValueError(f"X has the columns {rows.columns}, but {names} were fitted.")
        cast = {
            name: dtype
            for name, dtype in zip(names, self.dtypes, strict=True)
            if dtype.is_float() or dtype.is_temporal()
        }
        return PolarsTable.from_frame(rows.cast(cast))

    def rows_as_lists(self) -> list[list[Any]]:
        """List the rows as Python objects."""
        return [list(row) for row in self.native().rows()]


def _has_numbers(dtype: Any) -> bool:
    """Tell whether NumPy can hold a polars dtype's physical values."""
    name = dtype.base_type().__name__
    plain = (dtype.is_numeric() and name not in ("Decimal", "Int128", "UInt128")) or (
        name == "Boolean"
    )
    return plain or dtype.is_temporal()


def _is_enum(dtype: Any) -> bool:
    """Tell whether a polars dtype is one that lists its categories."""
    return dtype.base_type().__name__ == "Enum"


def is_pandas(X: Any) -> bool:
    """Tell whether X is a pandas frame."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame)


def is_polars(X: Any) -> bool:
    """Tell whether X is a polars frame held in memory."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)


def plain_rows(X: Any) -> Iterable[list[Any]]:
    """List the rows of a frame, an array or a list of lists as Python objects."""
    if is_pandas(X):
        return PandasTable.from_frame(X).rows_as_lists()
    if is_polars(X):
        return PolarsTable.from_frame(X).rows_as_lists()
    return X.tolist() if isinstance(X, np.ndarray) else X


tables.opens(is_pandas)(PandasTable.from_frame)
tables.opens(is_polars)(PolarsTable.from_frame)
