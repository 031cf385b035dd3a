"""A file for each row of the target table. Each has `measure(scale)`, which gives figures beside their references."""
