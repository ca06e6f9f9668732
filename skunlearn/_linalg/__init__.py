"""Linear algebra that is brought up to date when rows leave."""
