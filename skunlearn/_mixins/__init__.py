"""What estimators of several families share: scores, labels, the namesake."""
