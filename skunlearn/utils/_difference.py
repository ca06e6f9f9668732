"""Deep comparison of two objects: what is equal, and where the first difference lies."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skunlearn._unlearning.stopwatch import Seconds

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


def differ(
    ours: Any, theirs: Any, *, rtol: float = 0.0, where: str = "", private: bool = True
) -> Difference | None:
    """Compare two objects deeply.

    Parameters
    ----------
    ours, theirs : object
        Containers, arrays, sparse arrays, estimators and plain objects are entered. Measured times
        are not compared.

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
    return next(_differences(ours, theirs, where, _How(rtol, private), {}), None)


def stored_apart(
    ours: Any,
    theirs: Any,
    *,
    rtol: float = 0.0,
    passed_over: Callable[[Any], Collection[str]] = lambda thing: (),
) -> Difference | None:
    """Compare what pickle would store of two objects, part by part.

    Beyond what :func:`differ` looks at, these are private attributes, the order of dictionaries,
    the width of strings, how sparse arrays are laid out, and of a float that is not compared
    whether it is there.

    Parameters
    ----------
    ours, theirs : object
        Anything that can be pickled.

    rtol : float, default=0.0
        As for :func:`differ`.

    passed_over : callable
        Takes an object and returns names of attributes that are not compared.

    Returns
    -------
    difference : Difference or None
        The first one found.
    """
    return next(_differences(ours, theirs, "", _How(rtol, True, passed_over), {}), None)


class _How(NamedTuple):
    """How two objects are compared; `passed_over` where that is by what pickle stores."""

    rtol: float
    private: bool
    passed_over: Callable[[Any], Collection[str]] | None = None

    @property
    def by_pickle(self) -> bool:
        return self.passed_over is not None


def _differences(ours: Any, theirs: Any, where: str, how: _How, seen: dict) -> Iterator[Difference]:
    if ours is theirs or (id(ours), id(theirs)) in seen:
        return
    if type(ours) is not type(theirs) and not (_is_float(ours) and _is_float(theirs)):
        yield Difference(where, f"is {_brief(ours)}, should be {_brief(theirs)}")
        return
    if isinstance(ours, Seconds):
        return
    if _is_float(ours) or isinstance(ours, np.ndarray | np.generic):
        yield from _array_differences(ours, theirs, where, how, seen)
        return
    if isinstance(ours, _ATOMS):
        if how.by_pickle and np.isinf(how.rtol) and isinstance(ours, bytes):
            ours, theirs = len(ours), len(theirs)  # a secret seed
        if ours != theirs and (how.by_pickle or not np.isinf(how.rtol)):
            yield Difference(where, f"is {_brief(ours)}, should be {_brief(theirs)}")
        return
    if isinstance(ours, _CODE):
        return
    seen[id(ours), id(theirs)] = (ours, theirs)  # keeps both alive, so that ids stay theirs
    if isinstance(ours, dict) and type(ours).__reduce__ is object.__reduce__:
        ours, theirs = (
            {key: value for key, value in one.items() if not isinstance(value, Seconds)}
            for one in (ours, theirs)
        )
        if ours.keys() != theirs.keys():
            added = [str(key) for key in ours if key not in theirs]
            lost = [str(key) for key in theirs if key not in ours]
            yield Difference(where or ", ".join(added + lost), f"added {added}, lost {lost}")
            return
        if how.by_pickle and list(ours) != list(theirs):
            yield Difference(where, f"is in the order {_brief([*ours])}, not {_brief([*theirs])}")
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
        inside, expected = _insides(ours, theirs, how)
        pairs = [(where, inside, expected)]
        if isinstance(inside, tuple) and len(inside) == len(expected):
            pairs = [(where, a, b) for a, b in zip(inside, expected, strict=True)]
    for name, a, b in pairs:
        yield from _differences(a, b, name, how, seen)


def _insides(ours: Any, theirs: Any, how: _How) -> tuple[Any, Any]:
    """Return containers that describe two objects of one type completely."""
    if how.passed_over is None:
        return _inside(ours, how.private), _inside(theirs, how.private)
    if sparse.issparse(ours):  # its other attributes are what SciPy has found out so far
        parts = ("shape", "row", "col", "coords", "indptr", "indices", "offsets", "data")
        ours, theirs = (tuple(getattr(t, part, None) for part in parts) for t in (ours, theirs))
        return ours, theirs
    names = {*how.passed_over(ours), *how.passed_over(theirs)}
    return _stored(ours, names), _stored(theirs, names)


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
    return _stored(thing, ())


def _stored(thing: Any, passed_over: Collection[str]) -> Any:
    """Return what pickle stores of an object, but for some attributes."""
    try:
        reduced = thing.__reduce_ex__(4)
    except TypeError:  # a lock, a file: nothing that a fit could determine
        return ()
    if isinstance(reduced, str):
        return reduced
    constructor, arguments, *rest = reduced
    parts = [list(part) if isinstance(part, Iterator) else part for part in rest]
    if parts and isinstance(parts[0], dict):
        parts[0] = _without(parts[0], passed_over)
    elif parts and isinstance(parts[0], tuple):  # attributes, and those in slots
        parts[0] = tuple(_without(p, passed_over) if isinstance(p, dict) else p for p in parts[0])
    return (constructor, arguments, *parts)


def _without(attributes: dict[str, Any], passed_over: Collection[str]) -> dict[str, Any]:
    """Sort attributes by name: in what order they were set tells which code ran, not on what."""
    return {name: attributes[name] for name in sorted(attributes.keys() - set(passed_over))}


def _is_float(value: Any) -> bool:
    return isinstance(value, float | np.floating)


def _array_differences(
    ours: Any, theirs: Any, where: str, how: _How, seen: dict
) -> Iterator[Difference]:
    a, b, rtol = np.asarray(ours), np.asarray(theirs), how.rtol
    if a.shape != b.shape:
        yield Difference(where, f"has shape {a.shape}, should have {b.shape}")
    elif a.dtype != b.dtype and (
        how.by_pickle or a.dtype.kind not in "US" or a.dtype.kind != b.dtype.kind
    ):
        yield Difference(where, f"has dtype {a.dtype}, should have {b.dtype}")
    elif a.dtype.names:
        for name in a.dtype.names:
            yield from _array_differences(a[name], b[name], f"{where}[{name!r}]", how, seen)
    elif a.dtype.kind == "O":
        yield from _differences(a.tolist(), b.tolist(), where, how, seen)
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
