import numpy as np
import pytest

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.preprocessing import OrdinalEncoder
from tests.preprocessing.encoders import (
    assert_same_encoder,
    assert_same_outputs,
    namesake_of,
    polars_missing,
    polars_numbers,
)


@pytest.mark.fast
def test_codes_that_clash_after_a_request_are_refused():
    X = np.array([[1.0], [2.0], [3.0], [np.nan]])
    encoder = OrdinalEncoder(encoded_missing_value=3).fit(X)
    with pytest.raises(ValueError, match="already used"):
        OrdinalEncoder(encoded_missing_value=2).fit(X)
    assert encoder.unlearn(3)._missing_indices == {}
    grouped = np.array([["a"] * 5 + ["b"] * 5 + ["c"] * 2], dtype=object).T
    model = OrdinalEncoder(
        min_frequency=0.3, handle_unknown="use_encoded_value", unknown_value=2
    ).fit(grouped)
    with pytest.raises(NotUnlearnableError, match="unknown_value"):
        model.unlearn([0, 1, 2, 5, 6, 7])


@pytest.mark.fast
def test_missing_and_infrequent_codes_decode():
    X = np.array([["a"] * 5 + ["b", "c"] + [np.nan]], dtype=object).T
    encoder = OrdinalEncoder(min_frequency=2, encoded_missing_value=-1).fit(X)
    back = encoder.inverse_transform([[0.0], [1.0], [-1.0]])
    assert back[:2, 0].tolist() == ["a", "infrequent_sklearn"]
    assert np.isnan(back[2, 0])


@pytest.mark.fast
@pytest.mark.parametrize("make", [polars_numbers, polars_missing])
def test_integers_are_integers_again_when_the_last_missing_value_goes(make, global_random_seed):
    X = make(np.random.default_rng(global_random_seed), 20)
    encoder = OrdinalEncoder().fit(X)
    encoder.unlearn([3]).unlearn([19])
    kept = np.setdiff1d(np.arange(20), [3, 19])
    namesake = namesake_of(encoder).fit(X[kept])
    assert_same_encoder(encoder, namesake)
    assert_same_encoder(encoder.unlearn(5), namesake.fit(X[np.setdiff1d(kept, [5])]))
    assert_same_outputs(encoder, namesake, X[kept])
