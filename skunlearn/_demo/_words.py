"""The result in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from skunlearn._demo._auc import short
from skunlearn._demo._experiment import Outcome
from skunlearn._demo._table import Split, Table
from skunlearn._demo._ways import Group, group_ways
from skunlearn._unlearning.report import duration

PRIVACY = (
    "Exact unlearning is not privacy: two released versions of a model reveal the row between "
    "them. Do not release both; where that cannot be helped, forget in batches, give out labels "
    "instead of probabilities, or use a model with differential privacy."
)


@dataclass(frozen=True)
class TableResult:
    """All that was done on one table.

    Parameters
    ----------
    table : Table
        The rows.

    split : Split
        Who was trained on, forgotten, never seen.

    outcomes : list of Outcome
        One per model.

    chosen : bool
        Whether the user named the ids to forget.
    """

    table: Table
    split: Split
    outcomes: list[Outcome]
    chosen: bool = False

    @property
    def measure(self) -> str:
        """Name of the score."""
        return "accuracy" if self.table.classes else "R²"


def describe_table(table: Table) -> str:
    """Say in one line what the table is."""
    n_rows, n_columns = table.X.shape
    kind = f"{len(table.classes)} classes" if table.classes else "regression"
    types = _types(table)
    return f"{n_rows:,} rows, {n_columns:,} columns{types}, target {table.target} ({kind})"


def _types(table: Table) -> str:
    """Count the columns of a data frame by type, and those with gaps."""
    if not hasattr(table.X, "select_dtypes"):
        return ""
    n_columns = table.X.shape[1]
    n_numbers = table.X.select_dtypes("number").shape[1]
    gaps = int(table.X.isna().any().sum())
    counts = (
        (n_numbers, "numeric"),
        (n_columns - n_numbers, "text"),
        (gaps, "with missing values"),
    )
    return f" ({', '.join(f'{n} {what}' for n, what in counts if n)})"


def describe_split(result: TableResult) -> str:
    """Say in one line who was trained on and forgotten."""
    table, split = result.table, result.split
    ids = len(set(table.ids[split.train].tolist()))
    named = " (named by the user)" if result.chosen else ""
    return (
        f"Trained on {split.train.size:,} rows of {ids:,} ids; forgot {len(split.singles):,} ids "
        f"one by one{named}, then {len(split.batch):,} in one batch; {split.heldout.size:,} rows "
        f"were never seen, {split.attacker.size:,} belong to the attacker."
    )


def describe_attacks(result: TableResult) -> str:
    """Say how many rows the leakage figures rest on."""
    loss, pairs = result.outcomes[0].loss_after, result.outcomes[0].two_versions
    return (
        f"Leakage: told by loss, {loss.n_forgotten:,} forgotten against {loss.n_never_seen:,} "
        f"never-seen rows; told by two versions, {pairs.n_forgotten:,} single deletions, each "
        f"paired with a never-seen row. One row per id. AUC .50 = guessing; ± standard error."
    )


def describe_resolution(result: TableResult) -> str:
    """Warn where the ROC curve rests on fewer than ten never-seen rows."""
    pairs = result.outcomes[0].two_versions
    return (
        f"False positive rates below {pairs.smallest_fpr:.1%} rest on fewer than 10 of the "
        f"{pairs.n_never_seen:,} never-seen rows and are not to be relied on."
    )


def sameness(outcome: Outcome) -> str:
    """Say how close the model is to the retrained one, in a few characters."""
    if not outcome.as_promised:
        return f"NO: {outcome.difference.largest:.0e}"
    return "bit for bit" if outcome.difference.bitwise else f"{outcome.difference.largest:.0e}"


PREPARATION = (
    "Every model here is a pipeline, timed and compared as a whole: the median stands for missing "
    "numbers, which are then scaled (but for trees); the most frequent text stands for missing "
    "ones, and each text gets a column of zeros and ones (a number for GaussianNB; forests of ours "
    "take texts as they are)."
)


def describe_preparation(result: TableResult) -> str:
    """Say what the pipelines on a data frame consist of; nothing for a table of numbers."""
    if not hasattr(result.table.X, "select_dtypes"):
        return ""
    sharded = any(o.model.startswith("SISA") for o in result.outcomes)
    return PREPARATION + " SISA has such a pipeline in every shard." * sharded


def ways_table(result: TableResult) -> list[tuple[str, list[Group]]]:
    """List for each model which ways its requests went."""
    return [(o.model, group_ways(o.reports, o.batch_report)) for o in result.outcomes]


def findings(results: list[TableResult]) -> list[str]:
    """State the results, most important first, each in a sentence or two."""
    runs = [(result, outcome) for result in results for outcome in result.outcomes]
    outcomes = [outcome for _, outcome in runs]
    return [
        _exactness(runs),
        _speed(outcomes),
        *_ways(outcomes),
        _one_version(outcomes),
        _two_versions(outcomes),
        PRIVACY,
    ]


def _exactness(runs: list[tuple[TableResult, Outcome]]) -> str:
    failed = [f"{o.model} on {r.table.name}" for r, o in runs if not o.as_promised]
    if failed:
        return (
            f"In {len(failed)} of {len(runs)} runs the model after unlearning is not what "
            f"retraining gives: {', '.join(failed)}. Please report this as a bug."
        )
    bitwise = sum(o.difference.bitwise for _, o in runs)
    parts = [f"bit for bit in {bitwise}"] if bitwise else []
    if bitwise < len(runs):
        gap = max(o.difference.largest for _, o in runs)
        parts.append(f"up to rounding in {len(runs) - bitwise} (relative difference ≤ {gap:.0e})")
    return (
        f"The forgotten rows are gone: in all {len(runs)} runs the model after unlearning is the "
        f"one that retraining without them gives, {' and '.join(parts)}."
    )


def _speed(outcomes: list[Outcome]) -> str:
    slow, fast = (f(o.request for o in outcomes) for f in (max, min))
    ratios = sorted(o.refit / o.request for o in outcomes)
    quicker = sum(ratio > 1 for ratio in ratios)
    return (
        f"Forgetting one id took {duration(fast)} to {duration(slow)}: "
        f"{times(ratios[0])} to {times(ratios[-1])} as fast as refitting the scikit-learn "
        f"model, and faster in {quicker} of {len(ratios)} runs."
    )


def _ways(outcomes: list[Outcome]) -> list[str]:
    reports = [report for o in outcomes for report in o.reports if report.steps]
    if not reports:
        return []
    spared = sum(all(step.way != "refitted" for step in report.steps) for report in reports)
    text = (
        f"Pipelines forget in every step: {spared:,} of {len(reports):,} requests for one id to a "
        "pipeline refitted no step"
    )
    if spared < len(reports):
        text += "; in the others a step changed what the next one sees, which was fitted anew"
    return [f"{text}."]


def _one_version(outcomes: list[Outcome]) -> str:
    values = [o.loss_after.value for o in outcomes]
    plain = sum(o.loss_after.like_chance for o in outcomes)
    odd = [o for o in outcomes if o.loss_after.far_from_chance]
    told = "can in part" if odd else "cannot"
    return (
        f"Whoever sees only the new model {told} tell forgotten rows from rows it never saw: AUC "
        f"{short(min(values))} to {short(max(values))} where .50 is guessing, within two standard "
        f"errors of .50 in {plain} of {len(values)} runs (about 95 % are expected to be; runs "
        "on one table share its rows, so that chance moves them together)."
    )


def _two_versions(outcomes: list[Outcome]) -> str:
    full = [a for o in outcomes for a in (o.two_versions, o.sorted_difference) if a]
    best = max(full, key=lambda a: a.value)
    labels = [a for o in outcomes for a in (o.two_versions_labels, o.sorted_difference_labels) if a]
    text = f"Whoever sees the old and the new model can: AUC up to {best} from full answers"
    if labels:
        text += f", up to {max(labels, key=lambda a: a.value)} from predicted labels alone"
    return f"{text}."


def times(ratio: float) -> str:
    """Write a ratio with two or three digits."""
    return f"{ratio:.1f}×" if ratio < 9.95 else f"{ratio:,.0f}×"
