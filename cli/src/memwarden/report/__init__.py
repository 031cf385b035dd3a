"""The report of a run: the verdict and what the command itself saw, written in several formats."""
