"""The checks behind :mod:`skunlearn.utils.estimator_checks`, one file per section of the contract."""
