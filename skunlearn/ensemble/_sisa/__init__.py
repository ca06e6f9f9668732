"""Models in shards."""
