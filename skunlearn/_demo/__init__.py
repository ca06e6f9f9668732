"""The main job: unlearn on real tables, compare with retraining, measure what leaks."""
