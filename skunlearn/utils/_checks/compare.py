"""Deep comparison of models: what is equal, and in which attribute the first difference lies."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skunlearn._unlearning.tags import UnlearningTags, get_unlearning_tags

OUTPUTS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "score_samples",
)

# Outputs may be less well conditioned than the attributes for which a tolerance is declared.
OUTPUT_FACTOR = 100.0

_NOT_FROM_TRAINING = ("unlearning_report_",)
_ATOMS = (type(None), bool, int, str, bytes, complex, type, types.ModuleType, np.dtype)
_CODE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


class Difference(NamedTuple):
    """Where two models differ and how."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"`{self.where}`: {self.what}"


def public_attributes(model: Any) -> dict[str, Any]:
    """Return the public fitted attributes of a model, properties included."""
    names = {name for name in vars(model) if _is_public(name)}
    for cls in type(model).__mro__:
        names |= {n for n, v in vars(cls).items() if _is_public(n) and isinstance(v, property)}
    return {name: getattr(model, name) for name in sorted(names) if hasattr(model, name)}


def _is_public(name: str) -> bool:
    return name.endswith("_") and name[0] != "_" and name not in _NOT_FROM_TRAINING


def outputs_of(model: Any, X: Any) -> dict[str, Any]:
    """Return what every predicting and transforming method of a model makes of X."""
    return {name: getattr(model, name)(X) for name in OUTPUTS if hasattr(model, name)}


def broken_promise(model: Any, retrained: Any, X: Any) -> Difference | None:
    """Find where an unlearned model breaks its promise to be like the retrained one.

    Parameters
    ----------
    model : estimator
        The unlearned model.

    retrained : estimator
        The same estimator fitted on the remaining rows.

    X : array-like of shape (n_samples, n_features)
        Rows on which outputs are compared.

    Returns
    -------
    difference : Difference or None
        The first one found.
    """
    tags: Any = get_unlearning_tags(model)
    ours, theirs = public_attributes(model), public_attributes(retrained)
    if tags.kind != "bitwise":
        for attributes in (ours, theirs):  # how long a solver took is no part of its solution
            attributes.pop("n_iter_", None)
    if tags.kind in ("bitwise", "numerical"):
        rtol, private = _tolerance(tags), tags.kind == "bitwise"
        return differ(ours, theirs, rtol=rtol, private=private) or differ(
            outputs_of(model, X), outputs_of(retrained, X), rtol=OUTPUT_FACTOR * rtol
        )
    difference = differ(ours, theirs, rtol=np.inf, private=False)
    if difference is None and tags.kind == "bounded":
        return _beyond_bound(model.unlearning_report_.guarantee.bound, ours, theirs)
    return difference


def _tolerance(tags: UnlearningTags) -> float:
    if tags.kind == "bitwise":
        return 0.0
    if tags.tolerance is None:
        raise AssertionError("The unlearning tags say kind 'numerical' but state no tolerance.")
    return tags.tolerance


def _beyond_bound(bound: float | None, ours: dict, theirs: dict) -> Difference | None:
    if bound is None or not np.isfinite(bound):
        return Difference("unlearning_report_.guarantee.bound", f"no bound is stated ({bound})")
    gaps = [
        np.linalg.norm(np.ravel(np.asarray(ours[name], dtype=float) - theirs[name]))
        for name in ("coef_", "intercept_", "dual_coef_", "cluster_centers_")
        if name in ours
    ]
    distance = float(np.linalg.norm(gaps))
    if distance <= bound:
        return None
    return Difference(
        "coef_", f"is {distance:.3g} from the retrained one, the bound is {bound:.3g}"
    )


def differ(
    ours: Any, theirs: Any, *, rtol: float = 0.0, where: str = "", private: bool = True
) -> Difference | None:
    """Compare two objects deeply.

    Parameters
    ----------
    ours, theirs : object
        Containers, arrays, sparse arrays, estimators and plain objects are entered.

    rtol : float, default=0.0
        Largest difference between two float arrays in units of the largest entry; zero asks for
        the same bits, infinity only for the same shapes and types.

    where : str, default=""
        Name of `ours` in the result.

    private : bool, default=True
        Whether private attributes of estimators that unlearn are compared too.

    Returns
    -------
    difference : Difference or None
        The first one found.
    """
    return next(_differences(ours, theirs, where, rtol, private, {}), None)


def _differences(
    ours: Any, theirs: Any, where: str, rtol: float, private: bool, seen: dict
) -> Iterator[Difference]:
    if ours is theirs or (id(ours), id(theirs)) in seen:
        return
    if type(ours) is not type(theirs) and not (_is_float(ours) and _is_float(theirs)):
        yield Difference(where, f"is {_brief(ours)}, should be {_brief(theirs)}")
        return
    if _is_float(ours) or isinstance(ours, np.ndarray | np.generic):
        yield from _array_differences(ours, theirs, where, rtol, private, seen)
        return
    if isinstance(ours, _ATOMS):
        if ours != theirs and not np.isinf(rtol):
            yield Difference(where, f"is {_brief(ours)}, should be {_brief(theirs)}")
        return
    if isinstance(ours, _CODE):
        return
    seen[id(ours), id(theirs)] = (ours, theirs)  # keeps both alive, so that ids stay theirs
    if isinstance(ours, dict):
        ours, theirs = dict(ours), dict(theirs)
        if ours.keys() != theirs.keys():
            added = [str(key) for key in ours if key not in theirs]
            lost = [str(key) for key in theirs if key not in ours]
            yield Difference(where or ", ".join(added + lost), f"added {added}, lost {lost}")
            return
        pairs = [(f"{where}.{key}" if where else str(key), ours[key], theirs[key]) for key in ours]
    elif isinstance(ours, set | frozenset):
        if ours != theirs:
            yield Difference(where, f"is {_brief(ours)}, should be {_brief(theirs)}")
        return
    elif isinstance(ours, list | tuple):
        if len(ours) != len(theirs):
            yield Difference(where, f"has {len(ours)} items, should have {len(theirs)}")
            return
        pairs = [
            (f"{where}[{position}]", a, b)
            for position, (a, b) in enumerate(zip(ours, theirs, strict=True))
        ]
    else:
        pairs = [(where, _inside(ours, private), _inside(theirs, private))]
    for name, a, b in pairs:
        yield from _differences(a, b, name, rtol, private, seen)


def _inside(thing: Any, private: bool) -> Any:
    """Return containers that describe an object completely."""
    if sparse.issparse(thing):
        canonical = thing.tocsr().sorted_indices()
        return (thing.shape, thing.dtype, canonical.indptr, canonical.indices, canonical.data)
    if hasattr(thing, "unlearn") and hasattr(thing, "get_params"):
        if private:
            return vars(thing)
        return public_attributes(thing) | thing.get_params(deep=False)
    if hasattr(thing, "to_pandas") or hasattr(thing, "to_numpy"):
        values = thing.to_numpy()
        return (type(thing), [str(name) for name in getattr(thing, "columns", ())], values)
    try:
        reduced = thing.__reduce_ex__(4)
    except TypeError:  # a lock, a file: nothing that a fit could determine
        return ()
    if isinstance(reduced, str):
        return reduced
    constructor, arguments, *rest = reduced
    return (constructor, arguments, *(list(p) if isinstance(p, Iterator) else p for p in rest))


def _is_float(value: Any) -> bool:
    return isinstance(value, float | np.floating)


def _array_differences(
    ours: Any, theirs: Any, where: str, rtol: float, private: bool, seen: dict
) -> Iterator[Difference]:
    a, b = np.asarray(ours), np.asarray(theirs)
    if a.shape != b.shape:
        yield Difference(where, f"has shape {a.shape}, should have {b.shape}")
    elif a.dtype != b.dtype and not (a.dtype.kind in "US" and a.dtype.kind == b.dtype.kind):
        yield Difference(where, f"has dtype {a.dtype}, should have {b.dtype}")
    elif a.dtype.names:
        for name in a.dtype.names:
            yield from _array_differences(
                a[name], b[name], f"{where}[{name!r}]", rtol, private, seen
            )
    elif a.dtype.kind == "O":
        yield from _differences(a.tolist(), b.tolist(), where, rtol, private, seen)
    elif a.dtype.kind not in "fc":
        if not np.array_equal(a, b):
            yield Difference(where, f"is {_brief(ours)}, should be {_brief(theirs)}")
    elif np.isinf(rtol) or not a.size:
        return
    elif rtol == 0.0:
        same = ((a == b) & (np.signbit(a.real) == np.signbit(b.real))) | ((a != a) & (b != b))
        if not same.all():
            yield Difference(where, _float_gap(a, b, "the promise is equality bit for bit"))
    else:
        if a.dtype.itemsize < 8:
            rtol = max(rtol, 64 * float(np.finfo(a.dtype).eps))
        finite = np.isfinite(a) & np.isfinite(b)
        special = (a == b) | ((a != a) & (b != b))
        scale = np.abs(b[finite]).max(initial=0.0)
        close = np.abs(a[finite] - b[finite]).max(initial=0.0) <= rtol * scale
        if not (special[~finite].all() and close):
            yield Difference(where, _float_gap(a, b, f"the tolerance is {rtol:.2g}"))


def _float_gap(a: np.ndarray, b: np.ndarray, promise: str) -> str:
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.nanmax(np.abs(a - b)) / np.nanmax(np.abs(b))
    return f"is off by {gap:.3g} of the largest entry, {promise}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
