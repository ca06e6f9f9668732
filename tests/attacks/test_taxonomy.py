"""Every attack says who attacks, and every row of the survey is an attack or left out."""

import inspect

import pytest

from skunlearn import attacks
from skunlearn.attacks import ThreatModel, all_attacks, left_out
from skunlearn.utils.discovery import all_estimators

pytestmark = pytest.mark.fast


def test_every_attack_has_a_threat_model():
    found = all_attacks()
    assert len(found) >= 3
    for name, attack in found:
        assert isinstance(attack.threat_model, ThreatModel), name
        assert getattr(attacks, name) is attack
        assert "References" in inspect.getdoc(attack), name
        assert ">>>" in inspect.getdoc(attack), name


def test_attacks_are_told_from_what_unlearns():
    attack, unlearner = (dict(all_estimators(kind)) for kind in ("attack", "unlearner"))
    assert not attack.keys() & unlearner.keys()
    assert {"LiRA", "LossAttack"} <= attack.keys()
    assert "Ridge" in unlearner
    assert attack.keys() | unlearner.keys() <= dict(all_estimators()).keys()
    with pytest.raises(ValueError, match="type_filter"):
        all_estimators("classifier")


def test_what_is_left_out_has_a_reason():
    assert all(row.reference and row.reason for row in left_out())


def test_threat_models_name_known_axes():
    with pytest.raises(ValueError, match="roles"):
        ThreatModel(("R9",), ("G1",), ("K1",), ("P1",), "nobody")
    told = str(ThreatModel(("R1", "R2"), ("G4",), ("K2",), ("P1", "P2"), "somebody"))
    assert told == (
        "data contributor, requesting user; other: cost, fairness, utility; grey box; "
        "training, unlearning"
    )
