"""Naive Bayes classifiers that forget."""
