"""The controller: what MemoryProfiles reach, who owns what, and what the collector says of it, told to the cluster.

It decides in pure functions (`reconcile`, `breaker`, `coverage`, `conditions`); what reads and writes the cluster and
the collector is around them, each in a file of its own.
"""
