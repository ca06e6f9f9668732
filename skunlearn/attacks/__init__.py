"""Attacks on models that forget, as estimators: what the survey's threats are on tables."""

from skunlearn.attacks._display import AttackRocDisplay
from skunlearn.attacks._forest_difference import ForestDifference, RowBox
from skunlearn.attacks._lira import LiRA
from skunlearn.attacks._loss_attack import LossAttack
from skunlearn.attacks._reconstruction_attack import Reconstruction, ReconstructionAttack
from skunlearn.attacks._result import MembershipResult, membership_result
from skunlearn.attacks._rmia import RMIA
from skunlearn.attacks._shadow_models import ShadowModels
from skunlearn.attacks._taxonomy import all_attacks, left_out
from skunlearn.attacks._threat_model import ThreatModel

__all__ = [
    "RMIA",
    "AttackRocDisplay",
    "ForestDifference",
    "LiRA",
    "LossAttack",
    "MembershipResult",
    "Reconstruction",
    "ReconstructionAttack",
    "RowBox",
    "ShadowModels",
    "ThreatModel",
    "all_attacks",
    "left_out",
    "membership_result",
]
