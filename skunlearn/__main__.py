"""Command line: ``python -m skunlearn`` or ``skunlearn demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from skunlearn import __version__
from skunlearn._demo._command import run_demo
from skunlearn._demo._table import DemoError
from skunlearn._warm_up import warm_up


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skunlearn", description="Machine unlearning for scikit-learn."
    )
    parser.add_argument("--version", action="version", version=f"skunlearn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="unlearn on real tables, compare with retraining, measure what leaks (default)",
        description="Fit each of our models on a real table, unlearn some people, compare with "
        "retraining, and measure what an attacker can tell. Prints a table, writes an HTML report.",
        epilog="Exit code: 0 done, 1 a model was not what retraining gives, 2 bad input.",
    )
    demo.add_argument("--data", type=Path, metavar="FILE", help=".csv, .csv.gz or .parquet file")
    demo.add_argument("--target", metavar="COLUMN", help="column to predict (with --data)")
    demo.add_argument("--id", metavar="COLUMN", help="column of ids; they may repeat")
    demo.add_argument(
        "--ignore", metavar="COLUMN", action="append", default=[], help="leave a column out"
    )
    demo.add_argument(
        "--task", choices=["classification", "regression"], help="default: by the target's values"
    )
    demo.add_argument(
        "--forget", metavar="ID", nargs="+", help="ids to unlearn one by one (with --data)"
    )
    demo.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        default=Path("skunlearn-report.html"),
        help="the report (default: %(default)s)",
    )
    demo.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    demo.add_argument(
        "--jobs", type=int, help="shards fitted at a time, for large tables (default: 1)"
    )
    commands.add_parser(
        "warm-up",
        help="compile all kernels, so that the first use of a model takes no longer than others",
        description="Use every kind of model once on a small table. Kernels that this compiles are "
        "kept on disk, in the package's directory or where NUMBA_CACHE_DIR says. Takes a minute or "
        "two the first time.",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; None takes the process's own. Options alone mean the command `demo`.

    Returns
    -------
    code : int
        0 done, 1 a model was not what retraining gives, 2 bad input.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")):
        argv = ["demo", *argv]
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command == "warm-up":
        warm_up()
        return 0
    if (options.data is None) != (options.target is None):
        parser.error("--data and --target go together")
    if options.data is None and (options.id or options.ignore or options.task or options.forget):
        parser.error("--id, --ignore, --task and --forget need --data")
    if options.seed < 0:
        parser.error("--seed must not be negative")
    try:
        sound = run_demo(
            output=options.output,
            data=options.data,
            target=options.target,
            id_column=options.id,
            ignore=tuple(options.ignore),
            task=options.task,
            forget=options.forget,
            seed=options.seed,
            jobs=options.jobs,
        )
    except DemoError as error:
        print(f"skunlearn: error: {error}", file=sys.stderr)
        return 2
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
