"""History independence: a pickle tells nothing of what was removed (contract, section 3)."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import get_tags

from skunlearn._unlearning.tags import get_unlearning_tags
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.utils._checks.data import (
    N_CATEGORIES,
    Rows,
    fitted,
    kind_of_rows,
    make_rows,
    n_classes,
    takes_weights,
)
from skunlearn.utils._compare import DIAGNOSTICS, OUTPUT_FACTOR
from skunlearn.utils._difference import stored_apart

# Positions of the rows that go: the first two bear one id.
_GONE = [5, 23, 12, 40]
_TWINS = _GONE[:2]


def check_history_independence(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that the pickle of an unlearned model is that of one fitted on the remaining rows.

    Of kind 'bitwise' it must be equal in everything; of kind 'numerical' floats must be close, of
    other kinds they may be any. Not compared is what an estimator declares: the outcome of the last
    request (`unlearning_report_`), its accounts (`_accounts`), and, unless the kind is 'bitwise',
    diagnostics of the last solve; nor what keeps float sums from which rows were subtracted, and
    how far that may have worn them (`_float_residue`), until sums are exact. Of a predictor,
    accounts are compared too, and if the kind is 'certified' diagnostics: they say what those of a
    retrained model say.
    """
    for number, (rows, circumstance) in enumerate(_cases(estimator, seed)):
        ids = list(dict.fromkeys(rows.ids[position] for position in _GONE))
        orders = {"one request": [ids], "one request per id": [[i] for i in ids]}
        if _tags(estimator).kind in ("bitwise", "numerical"):
            orders["one request per id, the last one first"] = orders["one request per id"][::-1]
        with warnings.catch_warnings():  # of constant columns and the like
            warnings.simplefilter("ignore", UserWarning)
            try:
                retrained = fitted(estimator, rows.without(ids))
            except ValueError:
                if number == 0:
                    raise
                continue  # what the law says of
            if _tags(retrained).scope == "output":
                retrained.purge()
            whole = fitted(estimator, rows)
            for order, requests in orders.items():
                model = copy.deepcopy(whole)
                try:
                    for request in requests:
                        model.unlearn(request)
                except NotUnlearnableError:  # a part of the rows may be what `fit` refuses
                    if len(requests) == 1:
                        raise
                    continue
                if _tags(model).scope == "output":  # until `purge` a documented residue is stored
                    model.purge()
                _compare(name, model, retrained, f"{circumstance}; {order}")


def _tags(estimator: Any) -> Any:
    return get_unlearning_tags(estimator)


def _compare(name: str, model: Any, retrained: Any, circumstance: str) -> None:
    kind = _tags(model).kind
    rtol = {"bitwise": 0.0, "numerical": OUTPUT_FACTOR * (_tags(model).tolerance or 0.0)}
    pairs = {
        "the pickle": (model, retrained, lambda thing: _declared(thing, kind)),
        "the pickle of the predictor": (
            model.to_predictor(),
            retrained.to_predictor(),
            lambda thing: _diagnostics(thing, kind) if kind != "certified" else (),
        ),
    }
    for what, (ours, theirs, passed_over) in pairs.items():
        ours, theirs = (pickle.loads(pickle.dumps(one)) for one in (ours, theirs))
        rtol_of_kind = rtol.get(kind, np.inf)
        difference = stored_apart(ours, theirs, rtol=rtol_of_kind, passed_over=passed_over)
        if difference is not None:
            raise AssertionError(
                f"{name}: {what} tells that rows were removed ({circumstance}): {difference}."
            )


def _declared(thing: Any, kind: str) -> Collection[str]:
    """Return the attributes of a part of a model that need not be as retraining gives them."""
    declared = (*getattr(thing, "_accounts", ()), *getattr(thing, "_float_residue", ()))
    return {"unlearning_report_", *declared, *_diagnostics(thing, kind)}


def _diagnostics(thing: Any, kind: str) -> Collection[str]:
    """Return the attributes of a part of a model that tell how the last solve went."""
    if not hasattr(thing, "get_params"):
        return ()
    tags = get_unlearning_tags(thing) if hasattr(thing, "unlearn") else None
    return DIAGNOSTICS if (kind if tags is None else tags.kind) != "bitwise" else ()


def _cases(estimator: Any, seed: int) -> Iterator[tuple[Rows, str]]:
    """Make rows of which some are about to go that differ from all others in several ways."""
    rng = np.random.default_rng(seed)
    rows = make_rows(estimator, seed)
    kind, tags = kind_of_rows(estimator), get_tags(estimator)
    stays = np.ones(len(rows.ids), dtype=bool)
    stays[_GONE] = False
    lone = _with_lone_values(rows, kind, tags)
    mixed: Any = rows.ids.astype(object)
    mixed[_GONE] = [f"eve {position}" for position in _GONE]
    mixed[_TWINS] = mixed[_TWINS[0]]
    yield lone.replace(ids=mixed), "extreme values, levels or words leave, and ids of another type"
    long: Any = rows.ids.tolist()
    long[_GONE[0]] = 1 << 63
    if takes_weights(estimator):
        weight = rng.random(len(rows.ids)) + 0.5
        weight[_GONE] *= 8
        yield lone.replace(weight=weight, ids=long), "heavy rows leave, and a long id"
    if kind != "table":
        return
    X = rows.X.copy()
    X[stays, 1] = X[stays, 1][0]
    y: Any = rows.y
    if tags.classifier_tags is not None and n_classes(tags) > 2:
        y = [
            f"class {label}" if stay else "a last class"
            for label, stay in zip(y, stays, strict=True)
        ]
    yield rows.replace(X=X, y=y, ids=long), "a column becomes constant, a class leaves"
    if tags.input_tags.sparse:
        thin = np.where(stays[:, None] & (rng.random(X.shape) < 0.5), 0.0, lone.X)
        yield rows.replace(X=sparse.csr_array(thin)), "the fullest rows of a sparse table leave"
    if tags.input_tags.allow_nan:
        X = rows.X.copy()
        X[_GONE] = np.nan
        X[_GONE[0], 0] = rows.X[_GONE[0], 0]
        yield rows.replace(X=X), "the rows with missing values leave"


def _with_lone_values(rows: Rows, kind: str | None, tags: Any) -> Rows:
    """Give the rows that go values that no other row has."""
    X = rows.X.copy()
    if kind == "table" and tags.input_tags.categorical:
        X[_GONE, 0] = N_CATEGORIES
    elif kind == "table":
        X[_GONE] *= 100.0
    elif kind == "texts":
        X[_GONE] = [f"{text} eve{position}" for position, text in zip(_GONE, X[_GONE], strict=True)]
    else:
        X = ["a longer label than others" if at in _GONE else x for at, x in enumerate(X.tolist())]
    return rows.replace(X=X)


def history_checks(estimator: Any) -> list[Any]:
    """Return the check of this file."""
    return [check_history_independence]
