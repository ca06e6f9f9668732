"""Benchmarks: what `unlearn` costs against refitting the scikit-learn namesake."""
