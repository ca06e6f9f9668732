"""The machinery under `skunlearn.base`: commit, report, tags, steps."""
