"""The report: one self-contained HTML page."""

from __future__ import annotations

import datetime
import html
import os
import platform
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
import sklearn

import skunlearn
from skunlearn._demo import _plots
from skunlearn._demo._auc import Auc, three_digits
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
from skunlearn._unlearning.report import KINDS, duration

Cells = list[tuple[str, Callable[[Outcome], str]]]

_RETRAINING: Cells = [
    ("promise", lambda o: o.promise.kind),
    ("difference from retrained", sameness),
    ("of outputs", lambda o: f"{o.difference.outputs:.0e}" if o.difference.outputs else "0"),
    ("before unlearning", lambda o: _distance(o.forgotten_difference.largest)),
    ("{measure} before", lambda o: three_digits(o.score_before)),
    ("after", lambda o: three_digits(o.score_after)),
    ("retrained", lambda o: three_digits(o.score_retrained)),
]
_TIME: Cells = [
    ("one id, median", lambda o: duration(o.request)),
    ("one id, slowest", lambda o: duration(float(o.request_seconds.max()))),
    ("batch of 5\N{NO-BREAK SPACE}%", lambda o: duration(o.batch_seconds)),
    ("scikit-learn refit", lambda o: duration(o.refit)),
    ("one id against refit", lambda o: times(o.refit / o.request)),
    ("batch against refit", lambda o: times(o.refit / o.batch_seconds)),
]


def _distance(value: float) -> str:
    return f"{value:.1g}" if np.isfinite(value) else "other shape"


def _figure(value: Auc | None) -> str:
    return str(value) if value is not None else "-"


_LEAKAGE: Cells = [
    ("loss, old model", lambda o: _figure(o.loss_before)),
    ("loss, new model", lambda o: _figure(o.loss_after)),
    ("both: true label", lambda o: _figure(o.two_versions)),
    ("both: sorted difference", lambda o: _figure(o.sorted_difference)),
    ("labels: true label", lambda o: _figure(o.two_versions_labels)),
    ("labels: sorted difference", lambda o: _figure(o.sorted_difference_labels)),
    ("caught at 5\N{NO-BREAK SPACE}%", lambda o: f"{o.two_versions.tpr_at(0.05):.0%}"),
]


def build_report(results: Sequence[TableResult], seed: int) -> str:
    """Build the page.

    Parameters
    ----------
    results : sequence of TableResult
        One per table.

    seed : int
        Seed of the run, for the record.

    Returns
    -------
    page : str
        HTML with style and plots inside; it refers to nothing outside itself.
    """
    page = Template(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    style = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    kinds = {o.promise.kind for result in results for o in result.outcomes}
    sound = all(o.as_promised for result in results for o in result.outcomes)
    return page.substitute(
        style=style,
        date=f"{datetime.datetime.now():%d %B %Y, %H:%M}",
        verdict="sound" if sound else "broken",
        headline="Forgotten as promised" if sound else "Not forgotten as promised",
        findings=_list(findings(list(results))),
        data=_list(
            [f"{r.table.name}: {describe_table(r.table)}; {r.table.source}" for r in results]
        ),
        tables="".join(_section(result, number) for number, result in enumerate(results)),
        promises=_list([f"{kind}: {KINDS[kind]}" for kind in sorted(kinds)]),
        versions=html.escape(
            f"skunlearn {skunlearn.__version__}, scikit-learn {sklearn.__version__}, "
            f"NumPy {np.__version__}, Python {platform.python_version()}, "
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, seed {seed}"
        ),
    )


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all.

    Parameters
    ----------
    path : Path
        An older file of that name is replaced.

    text : str
        What to write, as UTF-8.

    Raises
    ------
    OSError
        If the directory cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _list(texts: Sequence[str]) -> str:
    return "".join(f"<li>{html.escape(text)}</li>" for text in texts)


def _section(result: TableResult, number: int) -> str:
    heading = html.escape(result.table.name[:1].upper() + result.table.name[1:])
    intro = f"{describe_table(result.table)}. {describe_split(result)}"
    paragraphs = filter(None, (intro, describe_preparation(result)))
    tables = [
        _table("Compared with retraining on the kept rows", result, _RETRAINING),
        _ways_table(result),
        _table("Time per request", result, _TIME),
        _table("What still leaks: AUC ± standard error", result, _LEAKAGE),
    ]
    notes = [describe_attacks(result), describe_resolution(result)]
    if result.chosen:
        notes.append(
            "The ids forgotten one by one were named by the user: where they are no random sample "
            "of the rows, AUC .50 is not to be expected."
        )
    notes += result.table.notes
    return (
        f'<section><h2 id="table-{number}">{heading}</h2>'
        f"{''.join(f'<p>{html.escape(text)}</p>' for text in paragraphs)}"
        f'<div class="plots">{_plots.figures(result, number)}</div>'
        f'{"".join(tables)}<ul class="notes">{_list(notes)}</ul></section>'
    )


def _table(caption: str, result: TableResult, cells: Cells) -> str:
    heads = "".join(
        f'<th scope="col">{html.escape(head.format(measure=result.measure))}</th>'
        for head, _ in cells
    )
    rows = "".join(
        f'<tr><th scope="row">{html.escape(outcome.model)}</th>'
        + "".join(f"<td>{html.escape(cell(outcome))}</td>" for _, cell in cells)
        + "</tr>"
        for outcome in result.outcomes
    )
    return _framed(caption, f'<th scope="col">model</th>{heads}', rows)


def _ways_table(result: TableResult) -> str:
    """Lay out which way the steps went: a row per model and way."""
    n_singles = len(result.split.singles)
    body = "".join(
        "<tr>"
        + (
            f'<th scope="rowgroup" rowspan="{len(groups)}">{html.escape(model)}</th>'
            if not position
            else ""
        )
        + f'<td class="ways">{_unbroken(html.escape(group.ways))}</td>'
        + f"<td>{f'{group.n_singles} of {n_singles}' if group.n_singles else '–'}</td>"
        + f"<td>{'yes' if group.batch else '–'}</td></tr>"
        for model, groups in ways_table(result)
        for position, group in enumerate(groups)
    )
    return _framed(
        "Which way the steps went, per request",
        '<th scope="col">model</th><th scope="col" class="ways">steps</th>'
        '<th scope="col">requests for one id</th><th scope="col">batch of 5&nbsp;%</th>',
        body,
    )


def _unbroken(ways: str) -> str:
    """Let a line break after commas only."""
    return ways.replace(" ", "&nbsp;").replace(",&nbsp;", ", ")


def _framed(caption: str, heads: str, body: str) -> str:
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )
