"""A small web shop with a real bug, and the same shop with the bug fixed: what `memwarden demo` watches."""
