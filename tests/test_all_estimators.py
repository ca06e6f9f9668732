"""Every public estimator keeps scikit-learn's conventions and the contract of `unlearn`."""

from __future__ import annotations

import inspect

import pytest
import sklearn
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from skunlearn.ensemble import SISAClassifier
from skunlearn.linear_model import InfluenceUnlearner, Ridge
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils.discovery import all_estimators
from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks

# The default optimises the kernel in every fit, which takes seconds; or it is more than the columns
# of the checks.
PARAMETERS = {"GaussianProcessRegressor": {"optimizer": None}, "SelectKBest": {"k": 1}}


def instances():
    """Make an instance of each public estimator, and of compositions with random or slow parts."""
    made = []
    for name, cls in all_estimators():
        required = [
            parameter
            for parameter in inspect.signature(cls).parameters.values()
            if parameter.default is inspect.Parameter.empty
        ]
        if not required:
            made.append(cls(**PARAMETERS.get(name, {})))
    made.append(make_pipeline(StandardScaler(), Ridge()))
    made.append(make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(), on_memory="refit"))
    made.append(InfluenceUnlearner(LogisticRegression()))
    made.append(InfluenceUnlearner(PoissonRegressor(), order=2))
    made.append(InfluenceUnlearner(Ridge(), order=2))
    made.append(SISAClassifier(DecisionTreeClassifier(max_features=2)))
    return made


INSTANCES = instances()
TABULAR = [model for model in INSTANCES if get_tags(model).input_tags.two_d_array]


def test_every_public_estimator_is_checked():
    assert {type(model) for model in INSTANCES} == {cls for _, cls in all_estimators()}


# scikit-learn expects its own Ridge, Pipeline and bagging to fail these checks as well.
IN_PLACE = "fit fits the steps themselves, as sklearn.pipeline.Pipeline does"
SCALE = "gamma='scale' does not weigh rows, as in scikit-learn"
SHARDS = "without sample_ids a row repeated k times is k rows in k shards"
TREES = "without sample_ids a row repeated k times is k rows in different trees"
PURE = "classes weigh nothing in pure leaves, and there is no min_weight_fraction_leaf to set"
WEIGHTS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
DIRECT = {"check_non_transformer_estimators_n_iter": "n_iter_ is None for direct solvers"}
EXPECTED = {
    "Ridge": DIRECT,
    "RidgeCV": dict.fromkeys(WEIGHTS, "the check gives `cv` as positions of rows, which raises"),
    "RidgeClassifier": DIRECT,
    "SVC": dict.fromkeys(WEIGHTS, SCALE),
    "SVR": dict.fromkeys(WEIGHTS, SCALE),
    "SISAClassifier": dict.fromkeys(WEIGHTS, SHARDS),
    "SISARegressor": dict.fromkeys(WEIGHTS, SHARDS),
    "UnlearningForestClassifier": {WEIGHTS[0]: TREES, "check_class_weight_classifiers": PURE},
    "UnlearningForestRegressor": {WEIGHTS[0]: TREES},
    "Pipeline": {
        "check_dont_overwrite_parameters": IN_PLACE,
        "check_estimators_overwrite_params": IN_PLACE,
    },
}

if parse_version(sklearn.__version__) < parse_version("1.7"):
    TWO = "the check makes two classes of its three in two ways for estimators of two classes"
    EXPECTED["CertifiedLogisticRegression"] = dict.fromkeys(WEIGHTS, TWO)


def expected_failures(estimator):
    return EXPECTED.get(type(estimator).__name__, {})


# The checks cannot know what to declare.
@pytest.mark.filterwarnings("ignore::skunlearn.exceptions.PrivacyLeakWarning")
@pytest.mark.filterwarnings("ignore:No features were selected")
@parametrize_with_checks(TABULAR, expected_failed_checks=expected_failures)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:No features were selected")
@parametrize_with_unlearning_checks(INSTANCES)
def test_unlearning_contract(estimator, check):
    check(estimator)
