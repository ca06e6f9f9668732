"""The command `demo`: read, run, print, write."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from threadpoolctl import threadpool_limits

from skunlearn._demo._bundled import bundled_tables
from skunlearn._demo._experiment import n_steps, run_experiment
from skunlearn._demo._file import read_file
from skunlearn._demo._html import build_report, write_atomically
from skunlearn._demo._models import Contender, contenders
from skunlearn._demo._progress import progress
from skunlearn._demo._table import DemoError, Table, split_table
from skunlearn._demo._terminal import WIDTH, render
from skunlearn._demo._words import TableResult
from skunlearn.exceptions import NotUnlearnableError

ListModels = Callable[[Table], list[Contender]]


def run_table(
    table: Table, models: list[Contender], seed: int, forget: list[str] | None = None
) -> TableResult:
    """Run models on one table.

    Raises
    ------
    DemoError
        If a request would leave what `fit` would refuse.
    """
    split = split_table(table, seed, forget=forget)
    outcomes = []
    for contender in models:
        label = f"{table.name}, {contender.name}"
        with progress(label, n_steps(split, table)) as advance:
            try:
                outcomes.append(run_experiment(contender, table, split, seed, advance))
            except NotUnlearnableError as error:
                raise DemoError(f"{table.name}: {contender.name}: {error}") from error
    return TableResult(table, split, outcomes, chosen=forget is not None)


def check_output(path: Path) -> None:
    """Find out before the work whether the report can be written.

    Raises
    ------
    DemoError
        If not.
    """
    if path.is_dir():
        raise DemoError(f"{path}: is a directory; name a file for the report")
    if not path.parent.is_dir():
        raise DemoError(f"{path}: there is no directory {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise DemoError(f"{path}: the directory {path.parent} cannot be written to")


def run_demo(
    *,
    output: Path,
    data: Path | None = None,
    target: str | None = None,
    id_column: str | None = None,
    ignore: tuple[str, ...] = (),
    task: str | None = None,
    forget: list[str] | None = None,
    seed: int = 0,
    jobs: int | None = None,
    list_models: Callable[..., list[Contender]] = contenders,
) -> bool:
    """Run the demo: print the table, write the report.

    Parameters
    ----------
    output : Path
        Where the report goes.

    data : Path, default=None
        The user's own file; None takes the tables that ship with scikit-learn.

    target, id_column, ignore, task
        As in :func:`skunlearn._demo._file.read_file`.

    forget : list of str, default=None
        Ids to unlearn one by one.

    seed : int, default=0
        Seed of every random choice.

    jobs : int, default=None
        Processes for models that can use them.

    list_models : callable, default=contenders
        Returns the models for a table.

    Returns
    -------
    sound : bool
        Whether every model was what retraining gives.

    Raises
    ------
    DemoError
        If the user's input is not usable; nothing is written then.
    """
    check_output(output)
    if data is None:
        tables = bundled_tables()
    else:
        tables = [read_file(data, str(target), id_column, ignore=ignore, task=task)]
    with threadpool_limits(1):
        results = [
            run_table(table, list_models(table, seed=seed, jobs=jobs), seed, forget)
            for table in tables
        ]
    page = build_report(results, seed)
    try:
        write_atomically(output, page)
    except OSError as error:
        raise DemoError(f"{output}: cannot be written: {error.strerror}") from error
    width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
    print(render(results, width))
    print(f"\nReport: {output}")
    return all(outcome.as_promised for result in results for outcome in result.outcomes)
