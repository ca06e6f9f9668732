"""Labels of classes and their codes, which are positions in the sorted labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from skunlearn._array_api import to_host
from skunlearn.exceptions import NotUnlearnableError


def encoded(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the classes and the code of each label.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Distinct labels, sorted.

    codes : ndarray of shape (n_samples,), intp
    """
    return np.unique(y, return_inverse=True)


def codes_of(classes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the codes of labels that are all among the sorted classes."""
    return classes.searchsorted(y)


def codes_of_queries(classes: Any, y: Any) -> np.ndarray:
    """Return codes of any labels, -1 for those that are no class.

    Parameters
    ----------
    classes : array of shape (n_classes,)
        Of any namespace.

    y : array-like of shape (n_queries,)
        Compared one by one, since labels of other kinds than the classes' cannot be sorted in.

    Returns
    -------
    codes : ndarray of shape (n_queries,), intp
    """
    position = {label: code for code, label in enumerate(to_host(classes).tolist())}
    labels = np.asarray(to_host(y)).tolist()
    return np.array([position.get(label, -1) for label in labels], dtype=np.intp)


def counts_without(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return how many rows of each class remain when rows with the given codes leave."""
    return counts - np.bincount(codes, minlength=counts.size)


def check_two_classes(estimator: Any, classes: np.ndarray) -> None:
    """Refuse to fit a classifier to fewer than two classes.

    Raises
    ------
    ValueError
    """
    if classes.size < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs samples of at least 2 classes in the data, but the "
            f"data contains only one class: {classes[0]!r}"
        )


def check_two_remain(estimator: Any, remaining: np.ndarray) -> None:
    """Refuse a request that leaves fewer than two of the classes that a classifier needs.

    Parameters
    ----------
    estimator : estimator
        Named in the error.

    remaining : ndarray of shape (n_remaining,)
        Distinct labels of the rows that would remain and weigh.

    Raises
    ------
    NotUnlearnableError
    """
    if remaining.size < 2:
        label = f"one class only, {remaining[0]!r}" if remaining.size else "no row that weighs"
        raise NotUnlearnableError(
            f"The request would leave {label}, and {type(estimator).__name__} needs rows of two "
            "classes. Nothing was changed."
        )
