"""Who attacks, what for, knowing what, and when: the axes of the survey's taxonomy."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = {"R1": "data contributor", "R2": "requesting user", "R3": "accessible user"}
GOALS = {
    "G1": "untargeted",
    "G2": "targeted",
    "G3": "privacy leakage",
    "G4": "other: cost, fairness, utility",
}
KNOWLEDGE = {"K1": "white box", "K2": "grey box", "K3": "black box"}
PHASES = {"P1": "training", "P2": "unlearning", "P3": "after unlearning"}

_AXES = {"roles": ROLES, "goals": GOALS, "knowledge": KNOWLEDGE, "phases": PHASES}


@dataclass(frozen=True, slots=True)
class ThreatModel:
    """What an attack takes for granted about the attacker.

    Parameters
    ----------
    roles : tuple of {'R1', 'R2', 'R3'}
        Whether the attacker contributes training rows (R1), asks for deletions (R2), or sees what a
        model answers (R3).

    goals : tuple of {'G1', 'G2', 'G3', 'G4'}
        Untargeted or targeted damage, privacy leakage, or other: cost, fairness, utility.

    knowledge : tuple of {'K1', 'K2', 'K3'}
        White, grey or black box.

    phases : tuple of {'P1', 'P2', 'P3'}
        When the attacker acts: in training, with a request, or after it.

    reference : str
        The paper; a number in brackets is that of the survey [1]_.

    References
    ----------
    .. [1] Liu, Ye, Chen, Zheng, Lam: Threats, attacks, and defenses in machine unlearning: a
       survey, IEEE Open Journal of the Computer Society 6, 2025, arXiv 2403.13682, tables 2 and 3.

    Examples
    --------
    >>> from skunlearn.attacks import LossAttack
    >>> print(LossAttack.threat_model)
    accessible user; privacy leakage; black box; after unlearning
    """

    roles: tuple[str, ...]
    goals: tuple[str, ...]
    knowledge: tuple[str, ...]
    phases: tuple[str, ...]
    reference: str

    def __post_init__(self) -> None:
        for axis, meanings in _AXES.items():
            unknown = set(getattr(self, axis)) - meanings.keys()
            if unknown:
                raise ValueError(f"{axis} must be of {sorted(meanings)}; got {sorted(unknown)}.")

    def __str__(self) -> str:
        return "; ".join(
            ", ".join(meanings[code] for code in getattr(self, axis))
            for axis, meanings in _AXES.items()
        )
