"""The rows that a model holds: tables, ids and hashes."""

# Each kind of table registers itself with the verbs of `tables` where its class is defined.
from skunlearn._samples import dataframes, device_table

__all__ = ["dataframes", "device_table"]
