"""What an attack found out, with the statistics that tell it from chance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.metrics import roc_curve

from skunlearn._unlearning.report import frame_of_one_row, table_html
from skunlearn.attacks._auc import auc_of, clopper_pearson, permutation_p_value
from skunlearn.attacks._table_checks import shift_between, uniqueness_of
from skunlearn.exceptions import DistributionShiftWarning, FewNegativesWarning

if TYPE_CHECKING:
    import pandas

# False positives that a rate has to rest on.
_FEW = 10

# Level at which rows that differ by themselves are warned of, so that chance alone seldom is.
_SURE = 0.998

# Parts of the rows, from the most common to the most unique, that results are told for.
_N_PARTS = 4


class Rate(NamedTuple):
    """True positive rate at a false positive rate.

    Parameters
    ----------
    tpr : float
        Share of members that score higher than all but that share of non-members.

    interval : tuple of float
        Clopper-Pearson interval at 95 %, given the threshold.

    n_behind : float
        Non-members that the false positive rate stands for; fewer than ten say little.
    """

    tpr: float
    interval: tuple[float, float]
    n_behind: float


class Part(NamedTuple):
    """Result for a part of the rows.

    Parameters
    ----------
    name : str
        Which part.

    n_rows : int
        Its rows.

    auc : float
        Area under the ROC curve.

    interval : tuple of float
        Confidence interval at 95 %.
    """

    name: str
    n_rows: int
    auc: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class MembershipResult:
    """How well an attack tells members from non-members, or deleted rows from others.

    Parameters
    ----------
    attack : str
        Class name of the attack.

    auc : float
        Chance that a member scores higher than a non-member; ties count half.

    auc_interval : tuple of float
        Confidence interval at 95 %; from the variation between models where scores come from
        several, as rows that one model scores depend on each other.

    p_value : float
        Share of permutations of the labels, within models, whose AUC is as large.

    tpr_at_fpr : dict of float to Rate
        True positive rates at false positive rates.

    advantage : float
        True positive rate minus false positive rate at the best threshold, which is chosen on one
        half of the rows and measured on the other.

    tie_mass : float
        Share of pairs of a member and a non-member with equal scores. Where it is large, a true
        positive rate at a small false positive rate is a matter of a single threshold.

    n_members, n_nonmembers : int
        Rows scored.

    shift_auc : float or None
        What a classifier that sees no model, only the rows, makes of the task; above one half, the
        result says something of the rows, not of the model.

    shift_interval : tuple of float or None
        Its confidence interval.

    by_uniqueness : tuple of Part
        Results for quarters of the rows, from those with the nearest neighbours to those with the
        farthest: single-outs carry most attacks.

    assumptions : tuple of str
        What was taken for granted.

    scores : ndarray of shape (n_rows,)
        The scores, in the order of the rows.

    is_member : ndarray of shape (n_rows,)
        The truth.

    sample_ids : ndarray of shape (n_rows,) or None
        Ids of the rows.

    positive, negative : str
        What members and others are called, for example "deleted".

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn.attacks import membership_result
    >>> result = membership_result(np.arange(40.0), np.arange(40) >= 20, fpr=(0.5,))
    >>> result.auc, result.tpr_at_fpr[0.5].tpr
    (1.0, 1.0)
    """

    attack: str
    auc: float
    auc_interval: tuple[float, float]
    p_value: float
    tpr_at_fpr: dict[float, Rate]
    advantage: float
    tie_mass: float
    n_members: int
    n_nonmembers: int
    shift_auc: float | None = None
    shift_interval: tuple[float, float] | None = None
    by_uniqueness: tuple[Part, ...] = ()
    assumptions: tuple[str, ...] = ()
    scores: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    is_member: np.ndarray = field(
        default_factory=lambda: np.empty(0, dtype=bool), repr=False, compare=False
    )
    sample_ids: np.ndarray | None = field(default=None, repr=False, compare=False)
    positive: str = "members"
    negative: str = "non-members"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("AUC", f"{self.auc:.3f}, {_interval(self.auc_interval)}; p = {self.p_value:.3g}"),
        ]
        for fpr, rate in self.tpr_at_fpr.items():
            few = f" (rests on {rate.n_behind:.1f} rows)" if rate.n_behind < _FEW else ""
            told = f"{rate.tpr:.3f}, {_interval(rate.interval)}{few}"
            rows.append((f"TPR at FPR {fpr:.3g}", told))
        rows += [
            ("advantage", f"{self.advantage:.3f}"),
            ("ties", f"{self.tie_mass:.1%} of pairs"),
            ("rows", f"{self.n_members:,} {self.positive}, {self.n_nonmembers:,} {self.negative}"),
        ]
        if self.shift_auc is not None and self.shift_interval is not None:
            told = f"{self.shift_auc:.3f}, {_interval(self.shift_interval)}"
            rows.append(("AUC without a model", told))
        rows += [
            (f"AUC, {part.name}", f"{part.auc:.3f}, {_interval(part.interval)}")
            for part in self.by_uniqueness
        ]
        rows += [("assumed", assumption) for assumption in self.assumptions]
        return rows

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join([self.attack, *(f"  {name:<{width}}  {told}" for name, told in rows)])

    def _repr_html_(self) -> str:
        return table_html(self.attack, self._rows())

    def tpr_at(self, fpr: float) -> Rate:
        """Return the true positive rate at a false positive rate.

        Parameters
        ----------
        fpr : float
            Between 0 and 1.

        Returns
        -------
        rate : Rate
            With its interval and how many non-members stand behind it.

        Warns
        -----
        FewNegativesWarning
            If fewer than ten non-members stand behind the false positive rate.
        """
        return _rate(self.scores, self.is_member, fpr)

    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the ROC curve.

        Returns
        -------
        fpr, tpr : ndarray of shape (n_thresholds,)
            Rates at each threshold, from the highest on.
        """
        return roc_curve(self.is_member, ranked(self.scores), drop_intermediate=False)[:2]

    def to_frame(self) -> pandas.DataFrame:
        """Return the result as a data frame of one row (requires pandas).

        Returns
        -------
        frame : pandas.DataFrame
            One column per figure.
        """
        record: dict[str, Any] = {
            "attack": self.attack,
            "auc": self.auc,
            "auc_low": self.auc_interval[0],
            "auc_high": self.auc_interval[1],
            "p_value": self.p_value,
        }
        for fpr, rate in self.tpr_at_fpr.items():
            record |= {
                f"tpr_at_{fpr:.3g}": rate.tpr,
                f"tpr_at_{fpr:.3g}_low": rate.interval[0],
                f"tpr_at_{fpr:.3g}_high": rate.interval[1],
            }
        names = ("advantage", "tie_mass", "n_members", "n_nonmembers", "shift_auc")
        record |= {name: getattr(self, name) for name in names}
        return frame_of_one_row(record)

    def rows_to_frame(self) -> pandas.DataFrame:
        """Return scores row by row (requires pandas).

        Returns
        -------
        frame : pandas.DataFrame
            Columns 'score' and 'is_member', indexed by the rows' ids, in the order of the rows.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("rows_to_frame() needs pandas: pip install pandas") from error
        columns = {"score": np.asarray(self.scores), "is_member": self.is_member}
        return pd.DataFrame(columns, index=self.sample_ids)


def membership_result(
    scores: np.ndarray,
    is_member: np.ndarray,
    *,
    X: Any = None,
    groups: np.ndarray | None = None,
    fpr: tuple[float, ...] = (0.01, 0.1),
    attack: str = "scores",
    assumptions: tuple[str, ...] = (),
    sample_ids: np.ndarray | None = None,
    positive: str = "members",
    negative: str = "non-members",
) -> MembershipResult:
    """Summarise scores of rows of which it is known whether they are members.

    Parameters
    ----------
    scores : ndarray of shape (n_rows,)
        Higher = more likely a member.

    is_member : ndarray of shape (n_rows,), dtype bool
        The truth.

    X : array-like or data frame of shape (n_rows, n_features), default=None
        The rows, to see whether members differ from non-members by themselves, and to tell results
        by how unique rows are; None leaves both out.

    groups : ndarray of shape (n_rows,), default=None
        The model from which each score comes, where there are several.

    fpr : tuple of float, default=(0.01, 0.1)
        False positive rates to tell the true positive rates for.

    attack : str, default="scores"
        Name of the attack.

    assumptions : tuple of str, default=()
        What was taken for granted.

    sample_ids : ndarray of shape (n_rows,), default=None
        Ids of the rows.

    positive, negative : str
        What members and others are called.

    Returns
    -------
    result : MembershipResult
        Figures with their intervals.

    Raises
    ------
    ValueError
        If there are not both members and non-members, or a score is NaN.

    Warns
    -----
    FewNegativesWarning
        If fewer than ten non-members stand behind a false positive rate.

    DistributionShiftWarning
        If members can be told from non-members without a model.
    """
    scores = np.asarray(scores, dtype=np.float64)
    truth = np.asarray(is_member)
    if truth.dtype != bool or truth.shape != scores.shape or scores.ndim != 1:
        raise ValueError(
            f"is_member must be one truth value per score, shape {scores.shape}; got dtype "
            f"{truth.dtype}, shape {truth.shape}."
        )
    if not truth.any() or truth.all():
        raise ValueError("A result needs members and non-members; is_member holds one of them only")
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} scores are NaN.")
    groups = None if groups is None else np.asarray(groups)
    auc = auc_of(scores, truth, groups)
    shift = parts = None
    if X is not None:
        shift = shift_between(X, truth)
        parts = _by_uniqueness(uniqueness_of(X), scores, truth)
        if shift.interval(_SURE)[0] > 0.5:
            warnings.warn(
                f"A classifier that sees no model tells {positive} from {negative} by the rows "
                f"alone (AUC {shift.value:.2f}): what the attack finds may be a difference between "
                "the rows. Draw both from one population.",
                DistributionShiftWarning,
                stacklevel=3,
            )
    return MembershipResult(
        attack=attack,
        auc=auc.value,
        auc_interval=auc.interval(),
        p_value=permutation_p_value(scores, truth, groups),
        tpr_at_fpr={float(rate): _rate(scores, truth, rate) for rate in fpr},
        advantage=_advantage(scores, truth),
        tie_mass=auc.tie_mass,
        n_members=int(truth.sum()),
        n_nonmembers=int((~truth).sum()),
        shift_auc=None if shift is None else shift.value,
        shift_interval=None if shift is None else shift.interval(),
        by_uniqueness=() if parts is None else parts,
        assumptions=tuple(dict.fromkeys(assumptions)),
        scores=scores,
        is_member=truth,
        sample_ids=sample_ids,
        positive=positive,
        negative=negative,
    )


def _rate(scores: np.ndarray, truth: np.ndarray, fpr: float) -> Rate:
    """Read a rate off the ROC curve, at the lowest threshold that keeps to the other rate."""
    others = np.sort(scores[~truth])[::-1]
    n_behind = fpr * others.size
    if n_behind < _FEW:
        warnings.warn(
            f"The true positive rate at a false positive rate of {fpr:.3g} rests on "
            f"{n_behind:.1f} non-members: score {int(np.ceil(_FEW / fpr)):,} or more.",
            FewNegativesWarning,
            stacklevel=4,
        )
    n_false = int(np.floor(n_behind + 1e-9))
    threshold = others[n_false] if n_false < others.size else -np.inf
    hits = int((scores[truth] > threshold).sum())
    n_members = int(truth.sum())
    return Rate(hits / n_members, clopper_pearson(hits, n_members), n_behind)


def _advantage(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return TPR - FPR, with thresholds chosen on rows that they are not measured on."""
    if min(truth.sum(), (~truth).sum()) < 2:
        return 0.0
    ranks, first = ranked(scores), np.zeros(truth.size, dtype=bool)
    for kind in (truth, ~truth):
        first[np.flatnonzero(kind)[::2]] = True
    gains = []
    for half in (first, ~first):
        fpr, tpr, thresholds = roc_curve(truth[half], ranks[half], drop_intermediate=False)
        told = ranks[~half] >= thresholds[(tpr - fpr).argmax()]
        gains.append(float(told[truth[~half]].mean() - told[~truth[~half]].mean()))
    return float(np.mean(gains))


def ranked(scores: np.ndarray) -> np.ndarray:
    """Return the ranks of scores, which are finite where scores are not."""
    return np.unique(scores, return_inverse=True)[1].astype(np.float64)


def _by_uniqueness(
    uniqueness: np.ndarray, scores: np.ndarray, truth: np.ndarray
) -> tuple[Part, ...]:
    cuts = np.quantile(uniqueness, np.arange(1, _N_PARTS) / _N_PARTS)
    part_of = np.searchsorted(cuts, uniqueness, side="right")
    names = ["most common quarter", "second quarter", "third quarter", "most unique quarter"]
    found = []
    for number, name in enumerate(names):
        rows = part_of == number
        if 1 < truth[rows].sum() < rows.sum() - 1:
            auc = auc_of(scores[rows], truth[rows])
            found.append(Part(name, int(rows.sum()), auc.value, auc.interval()))
    return tuple(found)


def _interval(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"
