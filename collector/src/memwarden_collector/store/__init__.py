"""The store in PostgreSQL: the only package that imports psycopg. Its schema is `memwarden`, its units are
in names.
"""
