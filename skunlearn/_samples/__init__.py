"""The rows that a model holds: tables, ids and hashes."""
