"""Everything that Memwarden promises to the outside: names, the report, the collector's HTTP contract.

`names` needs the standard library alone (the sidecar imports nothing else from here); the models need pydantic.
"""
