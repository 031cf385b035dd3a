"""Who analyses: one collector at a time, by an advisory lock that ends with the connection that holds it."""

from contextlib import suppress
from typing import Final

import psycopg

from memwarden_collector.store.connection import Connection, Database, translated

_LOCK: Final = 0x6D656D_0002


class Ownership:
    """For one thread. Asked again and again; answers True while this process is the one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def holds(self) -> bool:
        """Whether the lock is ours, taking it if it is free; raises StoreError."""
        with translated():
            if self._connection is not None:
                try:
                    self._connection.execute("select 1")
                except psycopg.Error:
                    self.release()
                    raise
                return True
            connection = self._database.connect("analysis")
            try:
                row = connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
            except BaseException:
                connection.close()
                raise
            if row is not None and row[0]:
                self._connection = connection
                return True
            connection.close()
            return False

    def release(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
