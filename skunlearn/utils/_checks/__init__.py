"""The checks behind :mod:`skunlearn.utils.estimator_checks`, one file per part of the contract."""
