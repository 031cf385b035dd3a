"""The labelled corpus: programs that leak and programs that only look like it, and what was recorded of them."""
