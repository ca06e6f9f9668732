"""The static promise of an estimator, carried on scikit-learn's tags."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import sklearn.utils

__all__ = ["Tags", "UnlearningTags", "get_unlearning_tags"]


@dataclass(frozen=True, slots=True)
class UnlearningTags:
    """What an estimator promises about `unlearn`.

    Parameters
    ----------
    kind : {'bitwise', 'numerical', 'bounded', 'certified', 'distributional', 'none'}
        What "the same as retrained" means; see :class:`~skunlearn.base.Guarantee`.

    scope : {'state', 'output'}, default='state'
        Whether the promise covers everything the object stores.

    tolerance : float, default=None
        For kind 'numerical', the relative float error that is kept below, in float64.

    pushes_affine : bool, default=False
        Whether the estimator can follow a change of an affine transformer in front of it
        without being refitted.

    predicts_with_rows : bool, default=False
        Whether predicting takes training rows, so that `to_predictor` hands them on as well.
    """

    kind: str
    scope: str = "state"
    tolerance: float | None = None
    pushes_affine: bool = False
    predicts_with_rows: bool = False


@dataclass
class Tags(sklearn.utils.Tags):
    """scikit-learn's tags with `unlearning_tags` beside them.

    Parameters
    ----------
    unlearning_tags : UnlearningTags
        What the estimator promises about `unlearn`.
    """

    unlearning_tags: UnlearningTags = field(default_factory=lambda: UnlearningTags("none"))


def with_unlearning_tags(tags: sklearn.utils.Tags, unlearning_tags: UnlearningTags) -> Tags:
    """Copy scikit-learn's tags and put the unlearning tags beside them."""
    values = {f.name: getattr(tags, f.name) for f in dataclasses.fields(tags)}
    return Tags(**values | {"unlearning_tags": unlearning_tags})


def get_unlearning_tags(estimator: Any) -> UnlearningTags | None:
    """Return what an estimator promises about unlearning.

    Parameters
    ----------
    estimator : estimator instance
        Fitted or not.

    Returns
    -------
    tags : UnlearningTags or None
        None for an estimator that has no `unlearn`.

    Examples
    --------
    >>> from skunlearn.utils import get_unlearning_tags
    >>> from skunlearn.naive_bayes import MultinomialNB
    >>> get_unlearning_tags(MultinomialNB()).kind
    'bitwise'
    """
    return getattr(sklearn.utils.get_tags(estimator), "unlearning_tags", None)
