"""What is made from the models of our kinds: CRDs, JSON Schema, reference pages. Called by tools/generate.py."""
