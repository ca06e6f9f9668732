"""The attacks that there are, and those of the survey that there are not."""

from __future__ import annotations

from typing import NamedTuple

from skunlearn.utils.discovery import all_estimators


class LeftOut(NamedTuple):
    """A system of the survey that is not in this package.

    Parameters
    ----------
    reference : str
        The paper, with the survey's number.

    reason : str
        Why it is left out.
    """

    reference: str
    reason: str


_LEFT_OUT = (
    LeftOut("[70] Du et al., ICML 2025: textual unlearning leakage", "language models"),
    LeftOut("[72] Schwinn et al.: attacks in embedding space", "language models"),
    LeftOut("[89] Cheng et al., ICLR 2023: GNNDelete", "models of graphs"),
    LeftOut("[62] FedRecover, [105], [128] FedEraser", "federated training"),
)


def left_out() -> tuple[LeftOut, ...]:
    """List the systems of the survey that are not in this package.

    Returns
    -------
    rows : tuple of LeftOut
        Each with the reason.
    """
    return _LEFT_OUT


def all_attacks() -> list[tuple[str, type]]:
    """List the attacks.

    Returns
    -------
    attacks : list of (name, class)
        By name; each class has a `threat_model`.

    Examples
    --------
    >>> from skunlearn.attacks import all_attacks
    >>> dict(all_attacks())["LiRA"].threat_model.goals
    ('G3',)
    """
    return all_estimators("attack")
