"""Which collectors are alive on one database: each holds a shared advisory lock for as long as its connection lives.

No table, no time-out to guess: who dies is gone from the list with his connection.
"""

from contextlib import suppress
from typing import Final

import psycopg

from memwarden_collector.store.connection import Connection, Database, translated

_LOCK: Final = (0x6D656D, 0x0004)
"""Beside those of `ownership`, and of the other form: two numbers of 32 bits."""


class Presence:
    """For one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def peers(self) -> tuple[int, list[int]]:
        """Our own number and those of all, which are their database sessions'. Raises StoreError."""
        with translated():
            try:
                if self._connection is None:
                    self._connection = self._database.connect("presence")
                    self._connection.execute("select pg_advisory_lock_shared(%s, %s)", _LOCK)
                rows = self._connection.execute(
                    "select pid, pid = pg_backend_pid() from pg_locks where locktype = 'advisory' and granted"
                    " and classid = %s and objid = %s and objsubid = 2"
                    " and database = (select oid from pg_database where datname = current_database()) order by pid",
                    _LOCK,
                ).fetchall()
            except psycopg.Error:
                self.leave()
                raise
        (me,) = (pid for pid, mine in rows if mine)
        return me, [pid for pid, _ in rows]

    def leave(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
