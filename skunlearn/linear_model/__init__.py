"""Linear models that forget, under the names of :mod:`sklearn.linear_model`."""

from skunlearn.linear_model._certified_logistic import CertifiedLogisticRegression
from skunlearn.linear_model._elastic_net import ElasticNet
from skunlearn.linear_model._gamma import GammaRegressor
from skunlearn.linear_model._huber import HuberRegressor
from skunlearn.linear_model._influence import InfluenceUnlearner
from skunlearn.linear_model._lasso import Lasso
from skunlearn.linear_model._linear_regression import LinearRegression
from skunlearn.linear_model._logistic import LogisticRegression
from skunlearn.linear_model._noisy_descent import NoisyDescentClassifier
from skunlearn.linear_model._poisson import PoissonRegressor
from skunlearn.linear_model._ridge import Ridge
from skunlearn.linear_model._ridge_classifier import RidgeClassifier
from skunlearn.linear_model._ridge_cv import RidgeCV
from skunlearn.linear_model._tweedie import TweedieRegressor

__all__ = [
    "CertifiedLogisticRegression",
    "ElasticNet",
    "GammaRegressor",
    "HuberRegressor",
    "InfluenceUnlearner",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "NoisyDescentClassifier",
    "PoissonRegressor",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "TweedieRegressor",
]
