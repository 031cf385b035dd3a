"""The probes' side: the socket that they dial, their tables, and the censuses that they are asked for."""
