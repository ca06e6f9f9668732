import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skunlearn._demo._difference import compare_models, fitted_numbers

pytestmark = pytest.mark.fast


@pytest.fixture
def data(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(30, 3)), rng.normal(size=30)


def test_equal_models_are_equal_bit_for_bit(data):
    one, other = (make_pipeline(StandardScaler(), Ridge()).fit(*data) for _ in range(2))
    found = compare_models(one, other, data[0])
    assert found.bitwise
    assert (found.largest, found.outputs) == (0, 0)


def test_parts_of_pipelines_are_compared(data):
    one, other = (make_pipeline(StandardScaler(), Ridge()).fit(*data) for _ in range(2))
    one[0].mean_ = one[0].mean_ + np.array([0, 0, 1e-3])
    found = compare_models(one, other, data[0])
    assert not found.bitwise
    assert found.attribute == "standardscaler.mean_"
    assert found.largest == pytest.approx(1e-3 / np.abs(other[0].mean_).max())


def test_one_bit_is_seen(data):
    one, other = (Ridge().fit(*data) for _ in range(2))
    one.intercept_ = np.nextafter(one.intercept_, np.inf)
    found = compare_models(one, other, data[0])
    assert not found.bitwise
    assert 0 < found.largest < 1e-15


def test_trees_are_compared_by_outputs(data):
    one, other = (
        DecisionTreeRegressor(random_state=0).fit(*data),
        DecisionTreeRegressor(max_depth=1, random_state=0).fit(*data),
    )
    found = compare_models(one, other, data[0])
    assert not found.bitwise
    assert found.outputs > 0


def test_another_shape_is_infinitely_far(data):
    X, y = data
    found = compare_models(Ridge().fit(X, np.c_[y, y]), Ridge().fit(X, y), X)
    assert found.largest == np.inf


def test_numbers_inside_lists_and_dicts(data):
    model = Ridge().fit(*data)
    model.parts_ = [{"a": np.arange(2)}, (1.5,)]
    model.sample_ids_ = np.arange(30)
    names = {name for name, _ in fitted_numbers(model)}
    assert {"coef_", "parts_[0].a", "parts_[1][0]"} <= names
    assert "sample_ids_" not in names
