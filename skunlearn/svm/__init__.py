"""Support vector machines that forget, under the names of :mod:`sklearn.svm`."""

from skunlearn.svm._linear_svc import LinearSVC
from skunlearn.svm._svc import SVC
from skunlearn.svm._svr import SVR

__all__ = ["SVC", "SVR", "LinearSVC"]
