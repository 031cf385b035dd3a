"""`memwarden run`: one run of one command, from the checks before it to the clean-up after it."""
