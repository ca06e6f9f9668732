"""Metadata routing knows the verb `unlearn` and takes ids everywhere without being asked."""

import subprocess
import sys

import numpy as np
import pytest
import sklearn
import sklearn.compose
import sklearn.pipeline
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from skunlearn._unlearning.metadata_routing import register_verb
from skunlearn.compose import ColumnTransformer
from skunlearn.linear_model import Ridge
from skunlearn.pipeline import FeatureUnion, make_pipeline
from skunlearn.preprocessing import StandardScaler


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def patients():
    X, y = load_diabetes(return_X_y=True)
    return X, y, np.array([f"patient-{i}" for i in range(len(X))])


class Keeper(MetaEstimatorMixin, BaseEstimator):
    """Somebody else's meta-estimator that passes requests on."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y, **params):
        routed = process_routing(self, "fit", **params)
        self.estimator_ = sklearn.clone(self.estimator).fit(X, y, **routed.estimator.fit)
        return self

    def unlearn(self, **params):
        routed = process_routing(self, "unlearn", **params)
        self.estimator_.unlearn(**routed.estimator.unlearn)
        return self

    def get_metadata_routing(self):
        mapping = MethodMapping().add(caller="fit", callee="fit")
        mapping.add(caller="unlearn", callee="unlearn")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)


@pytest.mark.fast
@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("model", [Ridge(), make_pipeline(StandardScaler(), Ridge())], ids=str)
def test_meta_estimators_route_requests(model, patients):
    X, y, ids = patients
    keeper = Keeper(model).fit(X, y, sample_ids=ids).unlearn(sample_ids=["patient-3"])
    assert_array_equal(keeper.estimator_.sample_ids_, np.delete(ids, 3))


@pytest.mark.fast
@pytest.mark.usefixtures("routing")
def test_a_request_can_be_declined_and_renamed(patients):
    X, y, ids = patients
    keeper = Keeper(
        Ridge().set_fit_request(sample_ids="who").set_unlearn_request(sample_ids="whom")
    )
    keeper.fit(X, y, who=ids).unlearn(whom=["patient-3"])
    assert "patient-3" not in keeper.estimator_.sample_ids_
    with pytest.raises(TypeError, match="sample_ids"):
        Keeper(Ridge().set_fit_request(sample_ids=False)).fit(X, y, sample_ids=ids)


@pytest.mark.fast
@pytest.mark.usefixtures("routing")
def test_stock_compositions_route_ids_to_every_step(patients):
    X, y, ids = patients
    columns = sklearn.compose.ColumnTransformer([("scale", StandardScaler(), [0, 1])])
    pipe = sklearn.pipeline.make_pipeline(columns, StandardScaler(), Ridge())
    pipe.fit(X, y, sample_ids=ids)
    for step in (pipe[0]["scale"], pipe[1], pipe[2]):
        assert_array_equal(step.unlearn("patient-3").sample_ids_, np.delete(ids, 3))


@pytest.mark.fast
@pytest.mark.parametrize("routes", [False, True])
def test_our_compositions_tell_every_part_with_and_without_routing(patients, routes):
    X, y, ids = patients

    def build():
        union = FeatureUnion([("scale", StandardScaler()), ("keep", "passthrough")])
        inner = make_pipeline(StandardScaler(), union)
        columns = ColumnTransformer([("inner", inner, [0, 1]), ("rest", "passthrough", [2, 3])])
        return make_pipeline(columns, Ridge())

    with sklearn.config_context(enable_metadata_routing=routes):
        pipe = build().fit(X, y, sample_ids=ids)
        search = GridSearchCV(build(), {"ridge__alpha": [0.1, 10.0]}, cv=3)
        best = search.fit(X, y, sample_ids=ids).best_estimator_
    for model in (pipe, best):
        model.unlearn(["patient-3", "patient-30"])
        inner = model[0]["inner"]
        for part in (model, model[0], model[1], inner, inner[0], inner[1], inner[1]["scale"]):
            assert_array_equal(part.sample_ids_, np.delete(ids, [3, 30]))


@pytest.mark.fast
@pytest.mark.usefixtures("routing")
def test_weights_and_ids_are_routed_together(patients):
    X, y, ids = patients
    weight = np.linspace(0.5, 2.0, len(y))
    pipe = make_pipeline(
        ColumnTransformer([("scale", StandardScaler().set_fit_request(sample_weight=True), [0])]),
        Ridge().set_fit_request(sample_weight=True),
    )
    pipe.fit(X, y, sample_ids=ids, sample_weight=weight).unlearn("patient-3")
    kept = np.delete(np.arange(len(y)), 3)
    again = sklearn.clone(pipe).fit(
        X[kept], y[kept], sample_ids=ids[kept], sample_weight=weight[kept]
    )
    np.testing.assert_allclose(pipe.predict(X), again.predict(X), rtol=1e-9)


@pytest.mark.fast
def test_the_verb_is_registered_once():
    from sklearn.utils import _metadata_requests

    register_verb()
    register_verb()
    for methods in (_metadata_requests.SIMPLE_METHODS, _metadata_requests.METHODS):
        assert methods.count("unlearn") == 1
    assert not sklearn.get_config()["enable_metadata_routing"]


@pytest.mark.parametrize("first", ["imblearn", "skunlearn"])
def test_works_beside_imbalanced_learn(first):
    """A stand-in does to scikit-learn what imbalanced-learn does when it is imported."""
    neighbour = (
        "from sklearn.utils import _metadata_requests as m\n"
        "m.METHODS.append('fit_resample'); m.SIMPLE_METHODS.append('fit_resample')\n"
        "class Sampler(sklearn.base.BaseEstimator):\n"
        "    def fit_resample(self, X, y, groups=None): return X, y\n"
    )
    ours = "from skunlearn.linear_model import Ridge\n"
    program = "import sklearn, sklearn.base\n"
    program += neighbour + ours if first == "imblearn" else ours + neighbour
    program += (
        "sklearn.set_config(enable_metadata_routing=True)\n"
        "Sampler().set_fit_resample_request(groups=True)\n"
        "Ridge().set_unlearn_request(sample_ids=True)\n"
        "assert not hasattr(Sampler, 'set_unlearn_request')\n"
        "assert not hasattr(Ridge, 'set_fit_resample_request')\n"
        "print(sorted(vars(Ridge().get_metadata_routing())))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "'fit_resample'" in run.stdout
    assert "'unlearn'" in run.stdout
