"""Progress on standard error: a bar where rich is installed and someone is looking, else lines."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

Advance = Callable[[], None]


@contextlib.contextmanager
def progress(label: str, total: int) -> Iterator[Advance]:
    """Show the progress of one piece of work.

    Parameters
    ----------
    label : str
        What is being done.

    total : int
        Number of steps.

    Yields
    ------
    advance : callable
        To be called after each step.
    """
    started = perf_counter()
    if not sys.stderr.isatty():
        yield _nothing
        print(f"{label}: {perf_counter() - started:.1f} s", file=sys.stderr)
        return
    try:
        import rich.console
        import rich.progress
    except ImportError:
        yield from _plain(label, total)
        return
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(console=console, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


def _nothing() -> None:
    pass


def _plain(label: str, total: int) -> Iterator[Advance]:
    done, shown_at = 0, 0.0

    def advance() -> None:
        nonlocal done, shown_at
        done += 1
        if perf_counter() - shown_at > 0.1:
            shown_at = perf_counter()
            print(f"\r{label}: {done} of {total}", end="", file=sys.stderr, flush=True)

    try:
        yield advance
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
