"""Checks that an estimator keeps the contract of `unlearn`, for our estimators and for yours."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal
from unittest import SkipTest

from sklearn.exceptions import ConvergenceWarning, EstimatorCheckFailedWarning

from skunlearn.exceptions import PrivacyLeakWarning, RowNumberWarning
from skunlearn.utils._checks.atomicity import atomicity_checks
from skunlearn.utils._checks.certified import certified_checks
from skunlearn.utils._checks.costs import cost_checks
from skunlearn.utils._checks.errors import error_checks
from skunlearn.utils._checks.history import history_checks
from skunlearn.utils._checks.hostile import hostile_checks
from skunlearn.utils._checks.hygiene import hygiene_checks
from skunlearn.utils._checks.inputs import input_checks
from skunlearn.utils._checks.law import law_checks
from skunlearn.utils._checks.reports import report_checks
from skunlearn.utils._checks.roundtrip import roundtrip_checks

__all__ = ["check_unlearning_estimator", "parametrize_with_unlearning_checks"]

Check = Callable[..., None]


def _checks_for(estimator: Any) -> list[Check]:
    if isinstance(estimator, type):
        raise TypeError(f"Pass an instance of {estimator.__name__}, not the class.")
    if not hasattr(estimator, "unlearn"):
        raise TypeError(f"{type(estimator).__name__} has no method `unlearn`.")
    sections = (
        report_checks,
        cost_checks,
        law_checks,
        certified_checks,
        input_checks,
        hostile_checks,
        hygiene_checks,
        history_checks,
        atomicity_checks,
        error_checks,
        roundtrip_checks,
    )
    return [_quietly(check) for section in sections for check in section(estimator)]


def _quietly(check: Check) -> Check:
    """Let a model of made-up data not say that it does not converge or that rows have no names."""

    @functools.wraps(check)
    def quiet(name: str, estimator: Any, seed: int = 0) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", PrivacyLeakWarning)
            warnings.simplefilter("ignore", RowNumberWarning)
            check(name, estimator, seed)

    return quiet


def check_unlearning_estimator(
    estimator: Any,
    *,
    on_fail: Literal["raise", "warn"] | None = "raise",
    expected_failed_checks: dict[str, str] | None = None,
    random_state: int = 0,
) -> list[dict[str, Any]]:
    """Check that an estimator keeps the contract of `unlearn`.

    The checks cover the law (unlearning gives what retraining gives, in the sense that the
    estimator's tags name, however rows and ids come in, at the limits of floats and integers too,
    where a fit may refuse but not go wrong silently), hygiene (nothing of a removed row stays in
    buffers, pickles or files, and a pickle is that of a retrained model), atomicity, the errors
    that bad requests raise, copies and pickles, reports, and costs told beforehand. They come on
    top of
    :func:`sklearn.utils.estimator_checks.check_estimator`.

    Parameters
    ----------
    estimator : estimator instance
        Its `fit` takes `X`, `y` and, by keyword, `sample_ids`; it derives from
        :class:`~skunlearn.base.UnlearnerMixin`. It is cloned, never changed.

    on_fail : {'raise', 'warn'} or None, default='raise'
        Whether the first failed check raises, each one warns, or failures are only recorded.

    expected_failed_checks : dict, default=None
        Maps names of checks that are known to fail to the reason why.

    random_state : int, default=0
        Seed of the generated data.

    Returns
    -------
    results : list of dict
        One record per check with the keys `estimator`, `check_name`, `exception`, `status`
        ('passed', 'failed', 'xfail' or 'skipped'), `expected_to_fail` and
        `expected_to_fail_reason`. A check is skipped only where an optional package is missing or
        the estimator does not take numeric tables; `exception` says which.

    Raises
    ------
    AssertionError
        If a check fails and `on_fail` is 'raise'; the message says what broke.

    Warns
    -----
    sklearn.exceptions.EstimatorCheckFailedWarning
        For each failed check, if `on_fail` is 'warn'.

    See Also
    --------
    parametrize_with_unlearning_checks : The same checks, one pytest case each.

    Examples
    --------
    >>> from skunlearn.preprocessing import StandardScaler
    >>> from skunlearn.utils.estimator_checks import check_unlearning_estimator
    >>> results = check_unlearning_estimator(StandardScaler())
    >>> {record["status"] for record in results} <= {"passed", "skipped"}
    True
    """
    if on_fail not in ("raise", "warn", None):
        raise ValueError(f"on_fail must be 'raise', 'warn' or None; got {on_fail!r}.")
    reasons = expected_failed_checks or {}
    name = type(estimator).__name__
    results = []
    for check in _checks_for(estimator):
        reason = reasons.get(check.__name__)
        status, exception = _outcome(check, name, estimator, random_state, reason)
        if exception is not None and status == "failed" and on_fail == "raise":
            raise exception
        if status == "failed" and on_fail == "warn":
            warnings.warn(
                EstimatorCheckFailedWarning(
                    estimator=estimator,
                    check_name=check.__name__,
                    exception=exception,
                    status=status,
                    expected_to_fail=False,
                    expected_to_fail_reason="",
                ),
                stacklevel=2,
            )
        results.append(
            {
                "estimator": estimator,
                "check_name": check.__name__,
                "exception": exception,
                "status": status,
                "expected_to_fail": reason is not None,
                "expected_to_fail_reason": reason,
            }
        )
    return results


def _outcome(
    check: Check, name: str, estimator: Any, seed: int, reason: str | None
) -> tuple[str, Exception | None]:
    try:
        check(name, estimator, seed)
    except SkipTest as skipped:
        return "skipped", skipped
    except Exception as failure:
        return "failed" if reason is None else "xfail", failure
    return "passed", None


def parametrize_with_unlearning_checks(
    estimators: Iterable[Any],
    *,
    expected_failed_checks: Callable[[Any], dict[str, str]] | None = None,
    random_state: int = 0,
) -> Any:
    """Make a pytest decorator that runs each check on each estimator as a case of its own.

    Parameters
    ----------
    estimators : iterable of estimator instances
        As for :func:`check_unlearning_estimator`.

    expected_failed_checks : callable, default=None
        Takes an estimator and returns a dict from names of checks that are known to fail to the
        reason why; those cases are marked as expected failures.

    random_state : int, default=0
        Seed of the generated data.

    Returns
    -------
    decorator : pytest.mark
        For a test function with the arguments `estimator` and `check`.

    See Also
    --------
    check_unlearning_estimator : Runs all checks and returns a list of results.

    Examples
    --------
    >>> from skunlearn.preprocessing import StandardScaler
    >>> from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks
    >>> @parametrize_with_unlearning_checks([StandardScaler()])
    ... def test_unlearning_contract(estimator, check):
    ...     check(estimator)
    """
    try:
        import pytest
    except ImportError as error:
        raise ImportError(
            "parametrize_with_unlearning_checks needs pytest: pip install pytest"
        ) from error

    def cases() -> Iterator[Any]:
        for estimator in estimators:
            reasons = expected_failed_checks(estimator) if expected_failed_checks else {}
            label = _label(estimator)
            for check in _checks_for(estimator):
                case = functools.partial(check, type(estimator).__name__, seed=random_state)
                marks = (
                    [pytest.mark.xfail(reason=reasons[check.__name__])]
                    if check.__name__ in reasons
                    else []
                )
                case_id = f"{label}-{check.__name__}"
                yield pytest.param(estimator, case, marks=marks, id=case_id)

    return pytest.mark.parametrize(("estimator", "check"), list(cases()))


def _label(estimator: Any) -> str:
    """Name an estimator alike in every process: without the addresses of functions."""
    return re.sub(r" at 0x[0-9a-f]+", "", " ".join(repr(estimator).split()))
