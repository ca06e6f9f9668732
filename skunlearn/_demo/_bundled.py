"""The real tables that ship with scikit-learn."""

from __future__ import annotations

import numpy as np
import sklearn.datasets

from skunlearn._demo._table import Table

_SOURCE = "real data that ships with scikit-learn; every row is one id"


def bundled_tables() -> list[Table]:
    """Load the tables; the one of mixed types needs pandas and is left out without."""
    tables = [
        _numbers("breast cancer", sklearn.datasets.load_breast_cancer(), "class"),
        _numbers("digits", sklearn.datasets.load_digits(), "digit"),
        _numbers("wine", sklearn.datasets.load_wine(), "class"),
        _numbers("diabetes", sklearn.datasets.load_diabetes(), "disease progression"),
    ]
    try:
        return [mixed_table(), *tables]
    except ImportError:
        return tables


def _numbers(name: str, bunch: sklearn.utils.Bunch, target: str) -> Table:
    return Table(
        name,
        _SOURCE,
        np.ascontiguousarray(bunch.data, dtype=np.float64),
        bunch.target,
        np.arange(len(bunch.target)),
        target,
        tuple(str(c) for c in getattr(bunch, "target_names", ())),
    )


def mixed_table() -> Table:
    """Make of the diabetes data a data frame of numbers and texts with missing values.

    Body mass index and blood pressure become the classes that doctors speak of, and one value in
    eight of four columns is taken out. Each row is treated by itself, with fixed limits.

    Returns
    -------
    table : Table

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    import pandas as pd

    bunch = sklearn.datasets.load_diabetes(scaled=False)
    plain = dict(zip(bunch.feature_names, bunch.data.T, strict=True))
    weights = np.array(["underweight", "normal", "overweight", "obese"], dtype=object)
    pressures = np.array(["low", "normal", "raised", "high"], dtype=object)
    columns = {
        "age": plain["age"],
        "sex": np.array(["", "A", "B"], dtype=object)[plain["sex"].astype(int)],
        "weight": weights[np.searchsorted([18.5, 25, 30], plain["bmi"], "right")],
        "pressure": pressures[np.searchsorted([70, 93, 107], plain["bp"], "right")],
        "cholesterol": plain["s1"],
        "ldl": plain["s2"],
        "hdl": plain["s3"],
        "ratio": plain["s4"].round(),
        "triglycerides": plain["s5"],
        "glucose": plain["s6"],
    }
    rng = np.random.default_rng(0)
    for name in ("age", "weight", "pressure", "ratio"):
        columns[name][rng.random(len(bunch.target)) < 1 / 8] = np.nan
    return Table(
        "diabetes, mixed",
        f"{_SOURCE}; some columns in classes and some values taken out for this run",
        pd.DataFrame({name: pd.Series(c, dtype=c.dtype) for name, c in columns.items()}),
        (bunch.target > 140).astype(np.int64),
        np.arange(len(bunch.target)),
        "disease progression",
        ("up to 140", "above 140"),
    )
