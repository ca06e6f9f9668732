"""Naive Bayes classifiers that forget, under the names of :mod:`sklearn.naive_bayes`."""

from skunlearn.naive_bayes._bernoulli import BernoulliNB
from skunlearn.naive_bayes._categorical import CategoricalNB
from skunlearn.naive_bayes._complement import ComplementNB
from skunlearn.naive_bayes._gaussian import GaussianNB
from skunlearn.naive_bayes._multinomial import MultinomialNB

__all__ = ["BernoulliNB", "CategoricalNB", "ComplementNB", "GaussianNB", "MultinomialNB"]
