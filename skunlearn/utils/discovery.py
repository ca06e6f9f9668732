"""Find every public estimator of the package."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

from sklearn.base import BaseEstimator

import skunlearn

__all__ = ["all_estimators"]


# What tells the kinds of estimators apart: an attribute that all of a kind have.
_MARKS = {"unlearner": "unlearn", "attack": "threat_model"}


def all_estimators(type_filter: str | None = None) -> list[tuple[str, type]]:
    """List the public estimators of skunlearn.

    Parameters
    ----------
    type_filter : {'unlearner', 'attack'}, default=None
        List only what unlearns, or only attacks; None lists all.

    Returns
    -------
    estimators : list of (name, class)
        Every class in the `__all__` of a public module that is a scikit-learn estimator, by name.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> from skunlearn.utils.discovery import all_estimators
    >>> "StandardScaler" in dict(all_estimators("unlearner"))
    True
    >>> "LiRA" in dict(all_estimators("attack"))
    True
    """
    if type_filter is not None and type_filter not in _MARKS:
        raise ValueError(f"type_filter must be of {sorted(_MARKS)} or None; got {type_filter!r}.")
    mark = "__init__" if type_filter is None else _MARKS[type_filter]
    found = {}
    for info in pkgutil.walk_packages(skunlearn.__path__, "skunlearn."):
        if any(part.startswith("_") for part in info.name.split(".")):
            continue
        module = import_module(info.name)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if (
                inspect.isclass(value)
                and issubclass(value, BaseEstimator)
                and not inspect.isabstract(value)
                and hasattr(value, mark)
            ):
                found[name] = value
    return sorted(found.items())
