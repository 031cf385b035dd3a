"""A PostgreSQL of our own for one run: no user added, no permission changed, gone afterwards."""
