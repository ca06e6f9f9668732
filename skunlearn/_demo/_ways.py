"""Which way the steps of a model went for each request, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from skunlearn._unlearning.report import WAYS, StepReport, UnlearningReport

MAX_GROUPS = 4


@dataclass(frozen=True)
class Group:
    """Requests that went the same way.

    Parameters
    ----------
    ways : str
        How many steps went which way.

    n_singles : int
        Requests for one id among them.

    batch : bool
        Whether the request for many ids is among them.
    """

    ways: str
    n_singles: int
    batch: bool


def innermost(report: UnlearningReport) -> list[StepReport]:
    """List the steps of a pipeline that are not steps around others."""
    names = [step.name for step in report.steps]
    return [
        step
        for step in report.steps
        if not any(name.startswith(f"{step.name}__") for name in names)
    ]


def ways_of(report: UnlearningReport) -> str:
    """Sum up which way a request went.

    Parameters
    ----------
    report : UnlearningReport
        Of the request.

    Returns
    -------
    ways : str
        For a pipeline the ways of its innermost steps, the cheapest first, for example
        ``"3 unlearned, 1 pushed through"``; for a model of parts, how many of them were computed
        anew, if any.
    """
    counts = Counter(step.way for step in innermost(report))
    if counts:
        return ", ".join(f"{counts[way]} {way}" for way in WAYS if counts[way])
    if report.n_refitted and report.n_parts > 1:
        return f"{report.n_refitted} of {report.n_parts} {report.part}s refitted"
    return "1 refitted" if report.n_refitted else "1 unlearned"


def group_ways(singles: Iterable[UnlearningReport], batch: UnlearningReport) -> list[Group]:
    """Put requests together that went the same way, the most frequent way first.

    Parameters
    ----------
    singles : iterable of UnlearningReport
        Of the requests for one id.

    batch : UnlearningReport
        Of the request for many.

    Returns
    -------
    groups : list of Group
        At most ``MAX_GROUPS``, the last of which may stand for "other ways", and one more if the
        batch went a way of its own.
    """
    counts = Counter(map(ways_of, singles)).most_common()
    if len(counts) > MAX_GROUPS:
        rest = sum(n for _, n in counts[MAX_GROUPS - 1 :])
        counts = [*counts[: MAX_GROUPS - 1], ("other ways", rest)]
    many = ways_of(batch)
    groups = [Group(ways, n, ways == many) for ways, n in counts]
    return groups if any(group.batch for group in groups) else [*groups, Group(many, 0, True)]
