"""Machine unlearning as an ordinary verb of scikit-learn: fit, unlearn, predict."""

__version__ = "0.1.0.dev0"
