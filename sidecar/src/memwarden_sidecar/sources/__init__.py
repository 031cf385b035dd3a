"""Sources: what is read of processes, cgroups and probes' tables. They return values and send nothing."""
