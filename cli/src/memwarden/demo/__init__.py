"""`memwarden demo`: a web shop with a real leak beside its fixed twin, under load, watched and judged."""
