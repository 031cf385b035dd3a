"""How often the judge is right on programs of which we know the truth: `make accuracy`."""
