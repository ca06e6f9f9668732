"""Every public estimator keeps scikit-learn's conventions and the contract of `unlearn`."""

from __future__ import annotations

import inspect

import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunlearn.linear_model import Ridge
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils import get_unlearning_tags
from skunlearn.utils.discovery import all_estimators
from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks

BASES = {"SISAClassifier": LogisticRegression(), "SISARegressor": LinearRegression()}


def instances():
    """Make one instance of each public estimator, and some more that take other code paths."""
    made = []
    for name, cls in all_estimators():
        required = [
            parameter
            for parameter in inspect.signature(cls).parameters.values()
            if parameter.default is inspect.Parameter.empty
        ]
        if name in BASES:
            made.append(cls(BASES[name]))
        elif not required:
            made.append(cls())
    made.append(make_pipeline(StandardScaler(), Ridge()))
    return made


INSTANCES = instances()


def test_every_public_estimator_is_checked():
    assert {type(model) for model in INSTANCES} == {cls for _, cls in all_estimators()}


@pytest.mark.parametrize("estimator", INSTANCES, ids=repr)
def test_the_promise_is_stated(estimator):
    assert get_unlearning_tags(estimator).kind in ("bitwise", "numerical")


# scikit-learn expects its own classes of these names to fail these checks, for the same reasons.
IN_PLACE = "fit fits the steps themselves, as sklearn.pipeline.Pipeline does"
EXPECTED = {
    "Ridge": {
        "check_non_transformer_estimators_n_iter": "n_iter_ is None for direct solvers",
    },
    "Pipeline": {
        "check_dont_overwrite_parameters": IN_PLACE,
        "check_estimators_overwrite_params": IN_PLACE,
    },
}


def expected_failures(estimator):
    return EXPECTED.get(type(estimator).__name__, {})


@parametrize_with_checks(INSTANCES, expected_failed_checks=expected_failures)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@parametrize_with_unlearning_checks(INSTANCES)
def test_unlearning_contract(estimator, check):
    check(estimator)
