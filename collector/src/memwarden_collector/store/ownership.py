"""Who does a job that only one collector at a time may do: by an advisory lock.

It ends with the connection that holds it.
"""

from contextlib import suppress
from enum import Enum

import psycopg

from memwarden_collector.store.connection import Connection, Database, translated


class Job(Enum):
    """The keys of the locks; the migrations' own is 0x6D656D_0001."""

    ANALYSIS = 0x6D656D_0002
    UPKEEP = 0x6D656D_0003


class Ownership:
    """For one thread. Asked again and again; answers True while this process is the one."""

    def __init__(self, database: Database, job: Job) -> None:
        self._database = database
        self._job = job
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
            connection = self._database.connect(self._job.name.lower())
            try:
                row = connection.execute("select pg_try_advisory_lock(%s)", [self._job.value]).fetchone()
            except BaseException:
                connection.close()
                raise
            if row is not None and row[0]:
                self._connection = connection
                return True
            connection.close()
            return False

    @property
    def connection(self) -> Connection | None:
        """The one that holds the lock, for work that must end with it."""
        return self._connection

    def release(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
