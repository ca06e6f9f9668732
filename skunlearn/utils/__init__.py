"""Utilities: the promise of an estimator, and checks that it is kept."""

from skunlearn._unlearning.tags import UnlearningTags, get_unlearning_tags

__all__ = ["UnlearningTags", "get_unlearning_tags"]
