"""Membership by the loss of each row."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from skunlearn.attacks._answers import Answers
from skunlearn.attacks._membership_attack import MembershipAttack
from skunlearn.attacks._threat_model import ThreatModel


class LossAttack(MembershipAttack):
    """Membership inference by loss: what a model is surer of, it has more likely seen.

    It needs no rows of the attacker and no training. It is the baseline of all others.

    References
    ----------
    .. [1] Yeom, Giacomelli, Fredrikson, Jha: Privacy risk in machine learning: analyzing the
       connection to overfitting, IEEE CSF 2018, adversary 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skunlearn.attacks import LossAttack
    >>> X, y = load_digits(return_X_y=True)
    >>> victim = RandomForestClassifier(random_state=0).fit(X[::2], y[::2])
    >>> result = LossAttack().evaluate(victim, X, y, [True, False] * 898 + [True], fpr=(0.1,))
    >>> result.auc > 0.7
    True
    """

    threat_model: ClassVar[ThreatModel] = ThreatModel(
        ("R3",), ("G3",), ("K3",), ("P3",), "Yeom et al., CSF 2018"
    )

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Do nothing: there is nothing to learn.

        Parameters
        ----------
        X, y : object, default=None
            Ignored.

        Returns
        -------
        self : object
            The attack.
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _score(self, model: Any, answers: Answers, X: Any, y: np.ndarray) -> np.ndarray:
        if answers.classes is None:
            return -((answers.values[:, 0] - y.astype(np.float64)) ** 2)
        own = answers.values[np.arange(y.size), answers.codes_of(y)]
        return np.log(np.maximum(own, np.finfo(np.float64).tiny))
