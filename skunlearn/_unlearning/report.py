"""What a request reports: the guarantee, the rows removed, the parts redone."""

from __future__ import annotations

import dataclasses
import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

__all__ = ["KINDS", "Guarantee", "StepReport", "UnlearningReport"]

KINDS: dict[str, str] = {
    "bitwise": "every fitted attribute is bit for bit what retraining gives",
    "numerical": "what retraining gives, up to float rounding within the stated tolerance",
    "bounded": "within a proved distance of the retrained optimum",
    "certified": "(epsilon, delta)-indistinguishable from retraining",
    "distributional": "drawn from the same distribution as retraining",
    "none": "a heuristic without guarantee",
}
SCOPES: dict[str, str] = {
    "state": "nothing the object stores holds a removed row",
    "output": "predictions forget at once; a documented residue is stored until purge()",
}
# What a promise of that kind leaves out; printed beside it.
ASSUMPTIONS: dict[str, str] = {
    "certified": (
        "one release compared with one of a retrained model; requests not chosen by looking at "
        "earlier releases; the object itself stays secret; several releases compose"
    ),
}


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What relates the unlearned model to one retrained without the removed rows.

    Parameters
    ----------
    kind : {'bitwise', 'numerical', 'bounded', 'certified', 'distributional', 'none'}
        What "the same as retrained" means.

    scope : {'state', 'output'}, default='state'
        Whether it covers all that the object stores, or its outputs until `purge()`.

    tolerance : float, default=None
        Kind 'numerical': the relative float error that the estimator keeps below.

    error : float, default=None
        Kind 'numerical': the float error estimated for this request, in the unit of `tolerance`.

    bound : float, default=None
        Kind 'bounded': proved distance to the retrained optimum. Kind 'certified': what of the
        estimator's budget the secret solution takes.

    epsilon, delta : float, default=None
        Kind 'certified': privacy parameters of one release.

    n_releases : int, default=None
        Kind 'certified': releases after requests so far.

    composed_epsilon : float, default=None
        Kind 'certified': privacy parameter of all those releases together, at the same delta.

    assumptions : str, default=None
        What is taken for granted, where that is not what the kind takes for granted.
    """

    kind: str
    scope: str = "state"
    tolerance: float | None = None
    error: float | None = None
    bound: float | None = None
    epsilon: float | None = None
    delta: float | None = None
    n_releases: int | None = None
    composed_epsilon: float | None = None
    assumptions: str | None = None

    def __str__(self) -> str:
        extras = [
            f"{name} {value:.2g}"
            for name in ("tolerance", "error", "bound", "epsilon", "delta")
            if (value := getattr(self, name)) is not None
        ]
        if self.composed_epsilon is not None:
            extras.append(f"epsilon {self.composed_epsilon:.2g} over {self.n_releases:,} releases")
        return f"{self.kind} ({', '.join([self.scope, *extras])})"


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step of a pipeline did for a request.

    Parameters
    ----------
    name : str
        The step's name.

    way : {'unchanged', 'frozen', 'unlearned', 'pushed through', 'refitted'}
        How the step came to forget.

    seconds : float
        Wall time spent on the step.
    """

    name: str
    way: str
    seconds: float


@dataclass(frozen=True, slots=True)
class UnlearningReport:
    """Outcome of one `unlearn` request; it counts rows and names none.

    Parameters
    ----------
    estimator : str
        Class name of the estimator.

    n_requested : int
        Distinct ids in the request.

    n_removed : int
        Training rows removed.

    n_remaining : int
        Training rows still held.

    seconds : float
        Wall time of the request.

    guarantee : Guarantee
        Measured for this request.

    n_refitted : int, default=0
        Parts of the model that were computed anew.

    n_parts : int, default=1
        Parts of the model in all.

    part : str, default="model"
        What a part is, for example "shard".

    steps : tuple of StepReport, default=()
        For a pipeline, what each step did.

    id_source : {'sample_ids', 'index', 'row numbers'}, default='sample_ids'
        Where the ids come from by which the model knows its rows.
    """

    estimator: str
    n_requested: int
    n_removed: int
    n_remaining: int
    seconds: float
    guarantee: Guarantee
    n_refitted: int = 0
    n_parts: int = 1
    part: str = "model"
    steps: tuple[StepReport, ...] = ()
    id_source: str = "sample_ids"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("ids requested", f"{self.n_requested:,} ({self.id_source})"),
            ("rows removed", f"{self.n_removed:,}"),
            ("rows remaining", f"{self.n_remaining:,}"),
            ("time", duration(self.seconds)),
            (f"{self.part}s refitted", f"{self.n_refitted:,} of {self.n_parts:,}"),
            ("guarantee", f"{self.guarantee}: {KINDS[self.guarantee.kind]}"),
        ]
        assumed = self.guarantee.assumptions or ASSUMPTIONS.get(self.guarantee.kind)
        if assumed is not None:
            rows.append(("assumed", assumed))
        rows += [(f"step {s.name}", f"{s.way}, {duration(s.seconds)}") for s in self.steps]
        return rows

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name:<{width}}  {value}" for name, value in rows]
        return "\n".join([f"{self.estimator}.unlearn", *lines])

    def _repr_html_(self) -> str:
        return table_html(f"{self.estimator}.unlearn", self._rows())

    def to_frame(self) -> pandas.DataFrame:
        """Return the report as a data frame of one row (requires pandas).

        Returns
        -------
        frame : pandas.DataFrame
            One column per field, those of the guarantee included.
        """
        record: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("guarantee", "steps")
        }
        return frame_of_one_row(record | dataclasses.asdict(self.guarantee))


def frame_of_one_row(record: dict[str, Any]) -> pandas.DataFrame:
    """Make a data frame of one row, one column per entry."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame() needs pandas: pip install pandas") from error
    return pd.DataFrame([record])


def table_html(caption: str, rows: list[tuple[str, str]]) -> str:
    """Render name-value rows as a small table that follows the page's colours."""
    cells = "".join(
        f'<tr><th scope="row" style="text-align:left;padding:.15em 1em .15em 0">'
        f'{html.escape(name)}</th><td style="text-align:left">{html.escape(value)}</td></tr>'
        for name, value in rows
    )
    return (
        '<table style="border-collapse:collapse;margin:.5em 0;color:inherit;font-size:.9em">'
        f'<caption style="text-align:left;font-weight:600;padding-bottom:.3em">'
        f"{html.escape(caption)}</caption>{cells}</table>"
    )


def duration(seconds: float) -> str:
    """Write a duration with three digits and a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


_STRENGTH = ("bitwise", "numerical", "bounded", "certified", "distributional", "none")


_MEASURES = {
    "numerical": ("tolerance", "error"),
    "bounded": ("bound",),
    "certified": ("bound", "epsilon", "delta", "n_releases", "composed_epsilon"),
}


# What steps do for a request, from the cheapest to the most expensive.
WAYS = ("unchanged", "frozen", "unlearned", "pushed through", "refitted")


def weakest(guarantees: list[Guarantee]) -> Guarantee:
    """Combine what the parts of a model promise into what the whole can promise."""
    if not guarantees:
        return Guarantee("bitwise")
    kind = max((g.kind for g in guarantees), key=_STRENGTH.index)
    scope = "output" if any(g.scope == "output" for g in guarantees) else "state"

    def largest(name: str) -> Any:
        values = [getattr(g, name) for g in guarantees if getattr(g, name) is not None]
        return max(values, default=None)

    return Guarantee(kind, scope, **{name: largest(name) for name in _MEASURES.get(kind, ())})


def most_expensive(ways: list[str]) -> str:
    """Name what parts did for a request by the most expensive of it."""
    return max(ways, key=WAYS.index, default="unchanged")
