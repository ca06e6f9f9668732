"""Stopping at every line of unlearning code, to inject faults or to let readers in."""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

_STDLIB = sysconfig.get_path("stdlib")
_SITE = Path(np.__file__).parents[1]
_PACKAGES = (
    *(str(_SITE / package) for package in ("numpy", "scipy", "sklearn", "pandas", "polars")),
    *(str(_SITE / package) for package in ("numba", "joblib", "pyarrow", "threadpoolctl")),
    *(str(_SITE / package) for package in ("hypothesis", "_pytest")),  # who hears of collections
)


def _is_foreign(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    if file.startswith(("<", *_PACKAGES)):
        return True
    return file.startswith(_STDLIB) and "-packages" not in file


@functools.cache
def _entries(code: CodeType) -> dict[int, int]:
    """Map the lines of `with` statements to where in the bytecode their blocks are entered."""
    entries = {}
    line = 0
    for instruction in dis.get_instructions(code):
        if instruction.positions is not None and instruction.positions.lineno is not None:
            line = instruction.positions.lineno
        if instruction.opname in ("BEFORE_WITH", "LOAD_SPECIAL"):
            entries[line] = instruction.offset
    return entries


def _leaves_block(frame: FrameType) -> bool:
    """Tell whether the line is a `with` statement whose block is being left.

    What is raised there keeps Python from leaving the block, which nothing but a debugger can do.
    """
    return frame.f_lasti > _entries(frame.f_code).get(frame.f_lineno, frame.f_lasti)


@contextmanager
def at_each_line(visit: Callable[[int], None], within: CodeType | None = None) -> Iterator[None]:
    """Call `visit` with a running number before each line that this thread runs.

    Lines of the standard library and of the packages that skunlearn builds on do not count.

    Parameters
    ----------
    visit : callable
        What it raises is raised at that line.

    within : code object, default=None
        If given, only lines count that run while this code does.
    """
    count = 0
    depth = 0

    def on_line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count, depth
        if event == "line" and not _leaves_block(frame):
            count += 1
            visit(count)
        elif event == "return" and frame.f_code is within:
            depth -= 1
        return on_line

    def on_call(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal depth
        if frame.f_code is within:
            depth += 1
        return None if _is_foreign(frame) or (within is not None and not depth) else on_line

    former = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(former)


def count_lines(action: Callable[[], Any], within: CodeType | None = None) -> int:
    """Run an action and count the lines that :func:`at_each_line` stops at."""
    visited = [0]
    with at_each_line(visited.append, within):
        action()
    return visited[-1]
