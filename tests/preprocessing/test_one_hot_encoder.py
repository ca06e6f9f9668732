import pickle

import numpy as np
import pytest
import sklearn
import sklearn.preprocessing
from sklearn.utils.fixes import parse_version

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.preprocessing import OneHotEncoder
from tests.preprocessing.encoders import (
    assert_same_encoder,
    assert_same_outputs,
    namesake_of,
    object_array,
    pandas_frame,
    pick,
)


@pytest.mark.fast
@pytest.mark.parametrize("unknown", ["error", "ignore", "infrequent_if_exist", "warn"])
@pytest.mark.parametrize("drop", [None, "first"])
@pytest.mark.parametrize("limits", [{}, {"max_categories": 2}])
def test_unknown_categories_as_in_scikit_learn(unknown, drop, limits, global_random_seed):
    if unknown == "warn" and limits and parse_version(sklearn.__version__) < parse_version("1.7"):
        pytest.skip("scikit-learn 1.6 does not encode them as infrequent")
    rng = np.random.default_rng(global_random_seed)
    X = object_array(rng, 40)
    strange = X.copy()
    strange[3:6, 0] = ["violet", None, np.nan]
    ours = OneHotEncoder(handle_unknown=unknown, drop=drop, **limits).fit(X)
    namesake = namesake_of(ours).fit(X)
    assert_same_outputs(ours, namesake, strange)
    assert_same_outputs(ours, namesake, pick(strange, [0]))
    if unknown == "error":
        with pytest.raises(ValueError, match=r"Found unknown categories \['violet', None, nan\]"):
            ours.transform(strange)
        with pytest.raises(ValueError, match=r"in column 1 during transform"):
            OneHotEncoder().fit([[1, 1.5]]).transform([[1, 3.5]])


@pytest.mark.fast
def test_a_category_to_be_dropped_must_not_go():
    X = np.array([["a", "x"], ["b", "x"], ["b", np.nan], ["a", "y"]], dtype=object)
    encoder = OneHotEncoder(drop=["a", np.nan]).fit(X)
    assert_same_encoder(encoder, namesake_of(encoder).fit(X))
    before = pickle.dumps(encoder)
    for request in ([0, 3], [2]):
        with pytest.raises(NotUnlearnableError, match="supposed to be dropped"):
            encoder.unlearn(request)
    rare = OneHotEncoder(drop=["b", "x"], min_frequency=2).fit(X[[0, 1, 2, 3, 3]])
    with pytest.raises(NotUnlearnableError, match="because it is infrequent"):
        rare.unlearn(1)
    assert pickle.dumps(encoder) == before
    assert_same_encoder(encoder.unlearn(0), namesake_of(encoder).fit(X[1:]))


@pytest.mark.fast
def test_the_missing_value_of_pandas_is_as_in_scikit_learn():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": pd.array([None, None, None], dtype="string")})
    encoder = OneHotEncoder().fit(frame)
    assert encoder.categories_[0].tolist() == [pd.NA]
    assert encoder.unlearn(0).transform(frame).toarray().tolist() == [[1.0]] * 3
    frame["a"] = pd.array(["x", None, "y"], dtype="string")
    for model in (OneHotEncoder(), namesake_of(OneHotEncoder())):
        with pytest.raises(TypeError, match="uniformly strings or numbers"):
            model.fit(frame)


@pytest.mark.fast
def test_rows_of_frames_are_found_by_value(global_random_seed):
    frame = pandas_frame(np.random.default_rng(global_random_seed), 30)
    frame.index = [f"row {i}" for i in range(30)]
    encoder = OneHotEncoder().fit(frame)
    assert "row 4" in encoder.find_samples(frame.iloc[[4]])
    encoder.unlearn("row 4")
    assert "row 4" not in encoder.find_samples(frame.iloc[[4]])
    assert "row 4" not in encoder.sample_ids_


@pytest.mark.fast
def test_set_output_gives_frames():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"color": ["red", "blue", "red"], "size": [1, 2, 1]})
    encoder = OneHotEncoder(sparse_output=False).set_output(transform="pandas").fit(X)
    assert list(encoder.unlearn(1).transform(X.iloc[[0]])) == ["color_red", "size_1"]
    with pytest.raises(ValueError, match="does not support sparse"):
        OneHotEncoder().set_output(transform="pandas").fit(X).transform(X)
    named = OneHotEncoder(feature_name_combiner=lambda feature, category: f"{feature}={category}")
    assert named.fit(X).get_feature_names_out().tolist()[0] == "color=blue"
    with pytest.raises(TypeError, match="should return a Python string"):
        OneHotEncoder(feature_name_combiner=lambda *_: 1).fit(X).get_feature_names_out()


@pytest.mark.fast
def test_which_zero_came_first_is_not_told():
    for X in ([[-0.0], [0.0], [1.0]], [[0.0], [-0.0], [1.0]]):
        encoder = OneHotEncoder().fit(np.array(X))
        assert not np.signbit(encoder.categories_[0]).any()
        np.testing.assert_array_equal(encoder.transform(X).toarray()[:, 0], [1, 1, 0])
