"""The analysis: which scope is judged when, and what is kept of it."""
