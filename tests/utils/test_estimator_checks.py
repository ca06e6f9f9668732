"""The public checks find each defect that a toy has, and none where there is none."""

from __future__ import annotations

import sys
import warnings
from unittest import SkipTest

import pytest
from sklearn.exceptions import EstimatorCheckFailedWarning
from sklearn.linear_model import LogisticRegression

from skunlearn.preprocessing import LabelEncoder, StandardScaler
from skunlearn.utils import estimator_checks
from skunlearn.utils.estimator_checks import (
    check_unlearning_estimator,
    parametrize_with_unlearning_checks,
)
from tests.utils import _broken

DEFECTS = {
    "DoesNothing": ("check_law_single_rows", "`means_`"),
    "KeepsTheRow": ("check_nothing_stays_behind", "value of its feature .* in attribute `_spare`"),
    "KeepsTheRowInAClosure": ("check_nothing_stays_behind", "in attribute `_undo`"),
    "KeepsTheRowInItsClass": ("check_nothing_stays_behind", "in class attribute `_seen`"),
    "KeepsTheId": ("check_nothing_stays_behind", "its id as int64 is in attribute `_forgotten`"),
    "KeepsTheHashOfTheId": (
        "check_nothing_stays_behind",
        "the hash of its id is in attribute `_hashes`",
    ),
    "WritesACheckpoint": ("check_nothing_stays_behind", "is in the file rows.npy"),
    "KeepsTheOldModel": ("check_no_earlier_state_is_kept", "in attribute `_former`"),
    "CountsRequests": ("check_history_independence", "added .'_n_requests'."),
    "KeepsAPeak": ("check_history_independence", "extreme values.*`_peak`.*bit for bit"),
    "KeepsAPeakOfCopies": ("check_history_independence", "extreme values.*`_peak`.*tolerance"),
    "KeepsAnEmptyPosition": ("check_history_independence", "class leaves.*`_(known|counts)`"),
    "KeepsTheDtypeOfIds": ("check_history_independence", "`_order`: has dtype object"),
    "KeepsTheWidthOfLabels": ("check_history_independence", "class leaves.*`_labels`: has dtype"),
    "PublishesItsAccount": (
        "check_history_independence",
        "predictor tells that rows were removed.*n_requests_",
    ),
    "KeepsAnEmptyWord": ("check_history_independence", "words leave.*`_places`"),
    "DrawsByPosition": ("check_law_any_order_and_split", "`shard_sizes_`"),
    "DrawsFromASequence": ("check_law_single_rows", "`weights_`"),
    "KeepsStaleClasses": ("check_law_vanished_class", "class vanishes.* `classes_`"),
    "NeedsTwoClasses": (
        "check_law_vanished_class",
        "fit refuses .* unlearn must raise NotUnlearnableError; nothing was raised",
    ),
    "SubtractsFloats": ("check_law_any_order_and_split", "`means_`.* equality bit for bit"),
    "SubtractsOutliers": ("check_law_outliers", "huge outliers go.*tolerance is 1e-12"),
    "ForgetsTheFirstDuplicateOnly": (
        "check_law_repeated_ids",
        "several rows bear.*`sample_ids_` must be the kept ids",
    ),
    "ForgetsEqualRowsToo": ("check_law_repeated_ids", "equal rows under different ids"),
    "AppliesHalf": ("check_fault_in_request_rolls_back", "half applied: `means_`"),
    "AppliesHalfInPlace": ("check_fault_in_request_rolls_back", "half applied: `shard_sizes_`"),
    "ShowsAMixture": ("check_readers_see_one_version", "`predict` in another thread saw a mixture"),
    "AcceptsUnknownIds": (
        "check_unknown_ids_are_refused",
        "an unknown integer id must raise UnknownSampleError; nothing was raised",
    ),
    "ForgetsKnownIdsFirst": (
        "check_unknown_ids_are_refused",
        "known integer ids and one not was refused, but changed",
    ),
    "TakesAMask": ("check_malformed_requests_are_refused", "a boolean mask must raise ValueError"),
    "WritesIntoTheUsersData": ("check_law_leaves_user_data_alone", "wrote into the user's `X`"),
    "SharesRowsWithCopies": (
        "check_copies_are_complete_and_independent",
        "copy.copy .* changed the original: `sample_ids_`",
    ),
    "LosesItsSeedInPickles": (
        "check_copies_are_complete_and_independent",
        "in a copy by pickle.*`shard_sizes_`",
    ),
    "RemembersEarlierFits": ("check_fit_starts_afresh", "fit after unlearn is not a fresh fit"),
    "DeploysItsRows": ("check_predictor_holds_no_rows", "holds the id of a row"),
    "ClaimsTooMuch": ("check_report", "states an error of 0.001, above the tolerance"),
    "ClaimsAnotherKind": ("check_report", "claims kind 'certified', the tags promise 'bitwise'"),
    "Miscounts": ("check_report", "more parts than there are"),
    "StatesNoTolerance": ("check_tags_state_the_promise", "states a tolerance"),
    "StatesNoEpsilon": ("check_report", "must state epsilon and delta"),
    "HidesTooLittle": ("check_certified_releases", "an epsilon of at least .*; 1 is claimed"),
    "KeepsStaleWords": ("check_law_any_order_and_split", "`words_`"),
    "KeepsTheWord": ("check_nothing_stays_behind", "its word 'only.* in attribute `_dropped`"),
    "WrapsIntegers": ("check_hostile_data_dtypes", "dtype i1, to its ends.*`lows_`"),
    "SquaresFarFromZero": (
        "check_hostile_data_offsets",
        "a column of timestamps.*`variances_`.*tolerance is 1e-09",
    ),
    "OwnsUpInANumberOnly": (
        "check_hostile_data_offsets",
        "kind 'numerical' and an error of .*, above the tolerance 1e-09",
    ),
    "DividesByZero": ("check_hostile_data_targets", "one row remains.*`spread_` has .*not finite"),
    "DiesOfOverflow": (
        "check_hostile_data_scales",
        "fit takes the remaining rows .huge entries.*unlearn raised OverflowError",
    ),
    "FindsNothing": (
        "check_hostile_data_columns",
        "refuse by a ValueError or a TypeError; it raised Index",
    ),
    "NeedsWeights": (
        "check_hostile_data_weights",
        "a weight above zero.*must raise NotUnlearnableError; nothing was raised",
    ),
    "CarriesOutWhatItIsAskedAbout": (
        "check_unlearning_cost",
        "must change nothing, but `(means_|shard_sizes_)`",
    ),
    "SpendsItsSeedOnCosts": ("check_unlearning_cost", "another outcome than without: `weights_`"),
    "MiscountsItsCost": ("check_unlearning_cost", "n_parts_touched is 0, the request .* 1 models"),
    "CostsWithoutTime": ("check_unlearning_cost", "seconds is nan"),
    "CostsOfStrangers": ("check_unlearning_cost", "unlearning_cost of an unknown id must raise"),
    "WarnsWhenAsked": ("check_unlearning_cost", "gave 1 RowNumberWarning, should be 0"),
    "PurgesItsModel": ("check_purge_changes_no_output", "purge changed `weights_`"),
}


def checks_of(estimator):
    return {check.__name__: check for check in estimator_checks._checks_for(estimator)}


@pytest.mark.fast
@pytest.mark.parametrize(
    "estimator",
    [
        *(_broken.Toy(), _broken.Noisy(), _broken.TextToy(), _broken.KeepsItsAccount()),
        _broken.OwnsUp(),
        *(StandardScaler(), LabelEncoder()),
    ],
    ids=repr,
)
def test_no_check_fails_on_an_estimator_that_keeps_the_contract(estimator, global_random_seed):
    results = check_unlearning_estimator(estimator, random_state=global_random_seed)
    assert {record["status"] for record in results} <= {"passed", "skipped"}
    assert len(results) > 20


@pytest.mark.fast
@pytest.mark.parametrize(("toy", "defect"), DEFECTS.items(), ids=DEFECTS)
def test_a_check_names_the_defect(toy, defect, global_random_seed):
    check_name, message = defect
    estimator = getattr(_broken, toy)()
    with pytest.raises(AssertionError, match=message) as failure:
        checks_of(estimator)[check_name](toy, estimator, global_random_seed)
    assert toy in str(failure.value)


def test_every_broken_toy_is_tested():
    toys = {
        name
        for name, value in vars(_broken).items()
        if isinstance(value, type) and issubclass(value, (_broken.Toy, _broken.TextToy))
    }
    assert toys == set(DEFECTS) | {"Toy", "Noisy", "TextToy", "KeepsItsAccount", "OwnsUp"}
    assert all((getattr(_broken, toy).__doc__ or "").strip() for toy in toys)


def test_results_record_every_check():
    toy = _broken.ClaimsAnotherKind()
    results = check_unlearning_estimator(
        toy, on_fail=None, expected_failed_checks={"check_find_samples": "it works, though"}
    )
    records = {record["check_name"]: record for record in results}
    assert records.keys() == checks_of(toy).keys()
    failed = records["check_report"]
    assert failed["status"] == "failed"
    assert failed["estimator"] is toy
    assert isinstance(failed["exception"], AssertionError)
    assert not failed["expected_to_fail"]
    assert records["check_law_single_rows"]["status"] == "passed"
    assert records["check_law_single_rows"]["exception"] is None
    assert records["check_find_samples"]["expected_to_fail"]
    assert records["check_find_samples"]["status"] == "passed"


def test_expected_failures_do_not_raise_and_others_do():
    toy = _broken.ClaimsAnotherKind()
    reasons = {"check_report": "claims too much"}
    results = check_unlearning_estimator(toy, expected_failed_checks=reasons)
    record = next(r for r in results if r["check_name"] == "check_report")
    assert record["status"] == "xfail"
    assert record["expected_to_fail_reason"] == "claims too much"
    with pytest.raises(AssertionError, match="certified"):
        check_unlearning_estimator(toy)
    with pytest.warns(EstimatorCheckFailedWarning, match="check_report"):
        check_unlearning_estimator(toy, on_fail="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_unlearning_estimator(toy, on_fail="warn", expected_failed_checks=reasons)


def test_skipped_checks_say_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    polars_only = [checks_of(_broken.Toy())["check_law_polars"]]
    monkeypatch.setattr(estimator_checks, "_checks_for", lambda _: polars_only)
    (record,) = check_unlearning_estimator(_broken.Toy())
    assert record["status"] == "skipped"
    assert isinstance(record["exception"], SkipTest)
    assert "polars is not installed" in str(record["exception"])


def test_the_estimator_is_not_changed():
    toy = _broken.Toy()
    check_unlearning_estimator(toy)
    assert vars(toy) == {"random_state": None}


@pytest.mark.parametrize("wrong", [_broken.Toy, LogisticRegression()])
def test_only_instances_that_unlearn_are_checked(wrong):
    with pytest.raises(TypeError, match=r"Toy|LogisticRegression"):
        check_unlearning_estimator(wrong)


def test_on_fail_is_validated():
    with pytest.raises(ValueError, match="on_fail"):
        check_unlearning_estimator(_broken.Toy(), on_fail="shrug")


def test_the_decorator_marks_expected_failures():
    estimators = [_broken.Toy(), _broken.ClaimsAnotherKind()]
    mark = parametrize_with_unlearning_checks(
        estimators,
        expected_failed_checks=lambda estimator: (
            {"check_report": "reason"} if isinstance(estimator, _broken.ClaimsAnotherKind) else {}
        ),
    )
    names, cases = mark.mark.args
    assert names == ("estimator", "check")
    cases = {case.id: case for case in cases}
    assert len(cases) == sum(len(checks_of(estimator)) for estimator in estimators)
    assert cases["Toy()-check_report"].marks == []
    (xfail,) = cases["ClaimsAnotherKind()-check_report"].marks
    assert xfail.name == "xfail"
    estimator, check = cases["Toy()-check_report"].values
    check(estimator)
    estimator, check = cases["ClaimsAnotherKind()-check_report"].values
    with pytest.raises(AssertionError, match="certified"):
        check(estimator)


@parametrize_with_unlearning_checks([_broken.Toy()])
def test_the_decorator_works(estimator, check):
    check(estimator)
