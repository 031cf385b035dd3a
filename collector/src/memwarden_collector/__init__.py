"""The collector: doors for OTLP, the store in PostgreSQL, the analysis, the HTTP interface.

One process does all of it: `otlp` decodes and refuses, `store` is the only package that talks to PostgreSQL,
`analysis` calls the judge of `memwarden_core`, `serve` answers questions. What is acknowledged is committed.
"""
