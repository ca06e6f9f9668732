"""The table in the terminal: plain text that also reads well in a pipe."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from skunlearn._demo._auc import three_digits
from skunlearn._demo._experiment import Outcome
from skunlearn._demo._words import (
    TableResult,
    describe_attacks,
    describe_preparation,
    describe_resolution,
    describe_split,
    describe_table,
    findings,
    sameness,
    times,
    ways_table,
)
from skunlearn._unlearning.report import duration

WIDTH = 100

Group = tuple[str, list[tuple[str, Callable[[Outcome], str]]]]

_NAME: Group = ("", [("model", lambda o: o.model)])
_RESULT: list[Group] = [
    ("equal to", [("retrained", sameness)]),
    (
        "{measure}",
        [
            ("old", lambda o: three_digits(o.score_before)),
            ("new", lambda o: three_digits(o.score_after)),
        ],
    ),
    (
        "one request",
        [
            ("time", lambda o: duration(o.request)),
            ("speed", lambda o: times(o.refit / o.request)),
        ],
    ),
]
_LEAKAGE: list[Group] = [
    (
        "told by loss",
        [("old", lambda o: str(o.loss_before)), ("new", lambda o: str(o.loss_after))],
    ),
    (
        "told by both versions",
        [
            ("p_y-q_y", lambda o: str(o.two_versions)),
            ("sorted", lambda o: str(o.sorted_difference or "-")),
            ("labels", lambda o: str(o.two_versions_labels or "-")),
        ],
    ),
]
_LEGEND = (
    "equal to retrained: largest relative difference of fitted attributes from retraining on the "
    "kept rows; speed: how many times as fast as refitting scikit-learn's model; told by loss, by "
    "both versions: AUC ± standard error of telling forgotten rows from never-seen ones by the "
    "model's loss, and by the answers p before and q after the request (p_y-q_y: on the true "
    "label, or growth of squared error; sorted: attack model trained on shadow models; labels: "
    "p_y-q_y where only labels are given out); which way the steps went: a linear model follows "
    "a scaler in front of it by algebra (pushed through), other steps are refitted where what "
    "reaches them has changed for rows that stay, and all others just unlearn."
)


def render(results: Sequence[TableResult], width: int = WIDTH) -> str:
    """Write the results as text.

    Parameters
    ----------
    results : sequence of TableResult
        One per table.

    width : int, default=100
        Columns of the terminal. Below 100 the table is broken in two.

    Returns
    -------
    text : str
        No line is longer than the larger of `width` and 80.
    """
    width = min(max(width, 80), WIDTH)
    lines: list[str] = []
    for result in results:
        title = f"{result.table.name}: {describe_table(result.table)}"
        lines += _wrapped(title, width)
        lines += _wrapped(describe_split(result), width)
        lines += _wrapped(describe_attacks(result), width)
        lines += _wrapped(describe_resolution(result), width)
        lines += _wrapped(describe_preparation(result), width)
        whole = [_NAME, *_RESULT, *_LEAKAGE]
        parts = [whole] if width >= WIDTH else [[_NAME, *_RESULT], [_NAME, *_LEAKAGE]]
        for groups in parts:
            lines += ["", *_grid(result, groups)]
        lines += ["", *_ways(result), ""]
    lines += _wrapped(_LEGEND, width)
    lines.append("")
    for text in findings(list(results)):
        lines += _wrapped(f"* {text}", width, "  ")
    return "\n".join(lines)


def _ways(result: TableResult) -> list[str]:
    """Lay out which way the steps went: a line per model and way."""
    n_singles = len(result.split.singles)
    rows = [
        (
            model if not position else "",
            f"{group.n_singles} of {n_singles}" if group.n_singles else "",
            "yes" if group.batch else "",
            group.ways,
        )
        for model, groups in ways_table(result)
        for position, group in enumerate(groups)
    ]
    cells = [("model", "one id", "batch", "which way the steps went"), *rows]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        f"{model:<{wide[0]}}  {single:>{wide[1]}}  {batch:>{wide[2]}}  {ways}"
        for model, single, batch, ways in cells
    ]
    return [lines[0], "-" * sum([*wide, 6]), *lines[1:]]


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


def _grid(result: TableResult, groups: Sequence[Group]) -> list[str]:
    lines = [""] * (2 + len(result.outcomes))
    for title, columns in groups:
        title = title.format(measure=result.measure)
        block = [""] * (1 + len(result.outcomes))
        for heading, cell in columns:
            texts = [heading, *map(cell, result.outcomes)]
            wide = max(map(len, texts))
            put = str.ljust if heading == "model" else str.rjust
            block = [f"{left} {put(text, wide)}" for left, text in zip(block, texts, strict=True)]
        block = [line[1:] for line in block]
        wide = max(len(title), len(block[0]))
        column = [title.center(wide), *(line.rjust(wide) for line in block)]
        lines = [f"{left}  {text}" for left, text in zip(lines, column, strict=True)]
    heads, body = lines[:2], lines[2:]
    return [line[2:].rstrip() for line in [*heads, "  " + "-" * (len(lines[1]) - 2), *body]]
