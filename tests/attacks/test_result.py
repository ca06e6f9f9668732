"""Results: figures that follow from scores, warnings where they say little, tables and texts."""

import dataclasses
import pickle
import warnings

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from skunlearn.attacks import AttackRocDisplay, membership_result
from skunlearn.attacks._scores import scores_of
from skunlearn.exceptions import DistributionShiftWarning, FewNegativesWarning

pytestmark = pytest.mark.fast


def draw(seed, n=2400, effect=1.0):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.5
    return rng.normal(size=n) + effect * truth, truth


def test_rates_are_read_off_the_curve(global_random_seed):
    scores, truth = draw(global_random_seed)
    result = membership_result(scores, truth)
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    for rate in (0.01, 0.1):
        assert result.tpr_at_fpr[rate].tpr == pytest.approx(tpr[fpr <= rate].max())
        low, high = result.tpr_at_fpr[rate].interval
        assert low < result.tpr_at_fpr[rate].tpr < high
    np.testing.assert_array_equal(result.roc()[0], fpr)
    assert result.n_members + result.n_nonmembers == 2400
    assert result.advantage == pytest.approx((tpr - fpr).max(), abs=0.06)
    assert result.advantage <= (tpr - fpr).max() + 1e-12


def test_few_negatives_warn(global_random_seed):
    scores, truth = draw(global_random_seed, n=200)
    with pytest.warns(FewNegativesWarning, match="score 1,000 or more"):
        result = membership_result(scores, truth, fpr=(0.01,))
    with pytest.warns(FewNegativesWarning):
        result.tpr_at(0.001)
    assert "rests on" in str(result)


def test_ties_are_told():
    truth = np.arange(400) % 2 == 0
    result = membership_result(np.where(truth, 1.0, 1.0), truth, fpr=(0.1,))
    assert (result.auc, result.tie_mass, result.tpr_at_fpr[0.1].tpr) == (0.5, 1.0, 0.0)
    assert "100.0% of pairs" in str(result)


def test_a_shift_between_the_rows_is_seen(global_random_seed):
    scores, truth = draw(global_random_seed, n=400)
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(400, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DistributionShiftWarning)  # chance gives one, at times
        result = membership_result(scores, truth, X=X, fpr=(0.1,))
    assert result.shift_auc < 0.63
    assert sum(part.n_rows for part in result.by_uniqueness) == 400
    with pytest.warns(DistributionShiftWarning, match="sees no model"):
        result = membership_result(scores, truth, X=X + truth[:, None], fpr=(0.1,))
    assert result.shift_auc > 0.7


def test_single_outs_are_told_apart(global_random_seed):
    """Where the attack works on outliers only, the part of the most unique rows says so."""
    rng = np.random.default_rng(global_random_seed)
    truth = rng.permutation(np.arange(800) % 2 == 0)
    X = rng.normal(size=(800, 2))
    outside = rng.permutation(800) < 200
    X[outside] *= 1e3
    scores = rng.normal(size=800) + 3.0 * (truth & outside)
    result = membership_result(scores, truth, X=X, fpr=(0.1,))
    parts = {part.name: part for part in result.by_uniqueness}
    assert parts["most unique quarter"].interval[0] > 0.8
    assert parts["most common quarter"].auc < 0.65


def test_frames_texts_and_pickles():
    pd = pytest.importorskip("pandas")
    scores, truth = draw(0)
    ids = np.array([f"id{i}" for i in range(2400)])
    result = membership_result(scores, truth, sample_ids=ids, assumptions=("labels", "labels"))
    frame = result.to_frame()
    assert frame.loc[0, "auc"] == result.auc
    assert frame.loc[0, "tpr_at_0.01"] == result.tpr_at_fpr[0.01].tpr
    rows = result.rows_to_frame()
    assert isinstance(rows, pd.DataFrame)
    assert rows.loc["id7", "score"] == scores[7]
    assert result.assumptions == ("labels",)
    for text in (str(result), result._repr_html_()):
        assert f"{result.auc:.3f}" in text
        assert "labels" in text
    assert pickle.loads(pickle.dumps(result)) == result
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.auc = 1.0


def test_bad_scores_and_bad_truth():
    scores, truth = draw(0, n=40)
    with pytest.raises(ValueError, match="one truth value per score"):
        membership_result(scores, truth[:-1])
    with pytest.raises(ValueError, match="one truth value per score"):
        membership_result(scores, truth.astype(int))
    with pytest.raises(ValueError, match="one of them only"):
        membership_result(scores, np.ones(40, dtype=bool))
    scores[3] = np.nan
    with pytest.raises(ValueError, match="1 scores are NaN"):
        membership_result(scores, truth)


def test_scores_carry_the_ids_of_their_rows():
    ids = np.array(["a", "b", "c", "d"])
    scores = scores_of(np.array([3.0, 1.0, 2.0, 0.0]), ids, ("told",))
    assert list(scores[[2, 0]].sample_ids) == ["c", "a"]
    assert list(scores[scores > 1.5].sample_ids) == ["a", "c"]
    assert list(scores[1:3].sample_ids) == ["b", "c"]
    assert (scores + 1.0).sample_ids is None
    assert scores.max() == 3.0
    loaded = pickle.loads(pickle.dumps(scores))
    assert list(loaded.sample_ids) == list(ids)
    assert loaded.assumptions == ("told",)


def test_display():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    scores, truth = draw(1)
    result = membership_result(scores, truth, positive="deleted", negative="never seen")
    display = AttackRocDisplay.from_result(result, color="C3")
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_ylabel() == "deleted caught"
    assert display.line_.get_ydata()[-1] == 1.0
    other = AttackRocDisplay.from_predictions(truth, scores, name="mine", ax=display.ax_)
    assert other.ax_ is display.ax_
    assert other.auc == pytest.approx(result.auc)
    assert f"(AUC {result.auc:.2f})" in display.ax_.get_legend().get_texts()[0].get_text()
    matplotlib.pyplot.close("all")
