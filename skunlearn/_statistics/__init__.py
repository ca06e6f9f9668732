"""Statistics that shrink when rows leave."""
