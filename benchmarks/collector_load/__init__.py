"""The collector under load: a generator of simulated sidecars, and a benchmark for every row of the target table.

`python benchmarks/collector.py` (or `make bench-collector`) runs the rows; tests use `fleet` and `sending` alone.
"""
