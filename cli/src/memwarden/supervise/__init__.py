"""Processes and signals: starting children that die with us, hearing signals without a handler."""
