"""Connections: opening them, lending them, and telling what is wrong with the database in one sentence.

Every error of psycopg becomes one of `errors.StoreError`. Whether the database answers is kept in one place
(`Health`), which logs once per change of state: a database that is away for an hour is two lines, not
thousands.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors as pg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row

from memwarden_collector.errors import (
    DatabaseAway,
    DatabaseForbidden,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseTooOld,
    DataRefused,
    Overloaded,
    StoreError,
)
from memwarden_collector.store.slow import SlowQueries

_log = logging.getLogger(__name__)
Connection = psycopg.Connection[TupleRow]

SCHEMA: Final = "memwarden"
MIN_VERSION: Final = 150_000
CONNECT_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 20
MAX_READERS: Final = 4
_LEND_SECONDS: Final = 10.0


class Health:
    """Whether the database answers, as the last one who tried saw it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """None while all is well, else the sentence."""
        return self._trouble

    def well(self) -> None:
        with self._lock:
            before, self._trouble = self._trouble, None
        if before is not None:
            _log.warning("the database answers again")

    def ill(self, error: StoreError) -> None:
        with self._lock:
            before, self._trouble = self._trouble, str(error)
        if before is None:
            _log.error("%s", error)


class Database:
    """Opens connections and lends a few of them to readers. Safe to use from any thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MAX_READERS)
        self._slow: SlowQueries | None = None
        self.health = Health()

    def tell_slow(self, queries: SlowQueries) -> None:
        """Of queries of readers, from now on."""
        self._slow = queries

    def connect(self, name: str) -> Connection:
        """A new connection for the caller alone, in autocommit; raises StoreError."""
        with translated():
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                row_factory=tuple_row,
                connect_timeout=CONNECT_SECONDS,
                application_name=f"memwarden-collector {name}",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=20_000,
            )
            try:
                version = connection.info.server_version
                if version < MIN_VERSION:
                    raise DatabaseTooOld(
                        f"the database is PostgreSQL {version // 10_000}.{version % 10_000}; Memwarden"
                        f" needs 15 or newer:"
                        " upgrade it or name another one"
                    )
                connection.execute(
                    f"set search_path = {SCHEMA}; set timezone = 'UTC'; set jit = off;"
                    f" set statement_timeout = '{STATEMENT_SECONDS}s'; set lock_timeout = '10s';"
                    " set idle_in_transaction_session_timeout = '60s';"
                    # Where the network was cut the server does not hear that we closed: our locks must not stay.
                    " set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3"
                )
            except BaseException:
                connection.close()
                raise
        return connection

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """A connection for one reader, given back at the end.

        Raises StoreError; Overloaded when all are lent for ten seconds.
        """
        if not self._slots.acquire(timeout=_LEND_SECONDS):
            raise Overloaded(f"all {MAX_READERS} connections for readers are busy", reason="readers")
        try:
            connection = self._take()
            try:
                with translated():
                    yield connection
                self.health.well()
            except StoreError as error:
                if is_away(error):
                    self.health.ill(error)
                raise
            finally:
                self._give_back(connection)
        finally:
            self._slots.release()

    def check(self) -> None:
        """Ask the database for a sign of life; raises StoreError."""
        with self.lend() as connection:
            connection.execute("select 1")

    def close(self) -> None:
        """Close what is idle; a connection that is lent is closed by who gives it back late or by the
        process' end.
        """
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        """Keep it for the next reader, unless something was left open or broken."""
        if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)

    def _take(self) -> Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                break
            if _is_alive(connection):
                return connection
            connection.close()
        try:
            connection = self.connect("reader")
            if self._slow is not None:
                self._slow.watch(connection)
            return connection
        except StoreError as error:
            self.health.ill(error)
            raise


def is_away(error: StoreError) -> bool:
    """Whether the error says something about the database as a whole, not about one statement."""
    return not isinstance(error, DataRefused)


@contextmanager
def translated() -> Iterator[None]:
    """Errors of psycopg become StoreError inside of this."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error) from error


def _is_alive(connection: Connection) -> bool:
    """An idle connection that the server has closed has something to read; a query would be a round trip."""
    if connection.closed or connection.broken:
        return False
    try:
        connection.execute("")
    except psycopg.Error:
        return False
    return True


def _translate(error: psycopg.Error) -> StoreError:
    text = " ".join(str(error).split())
    if isinstance(error, pg.DiskFull):
        return DatabaseFull(f"the database has no space left ({text}); free some or give it a larger disk")
    if isinstance(error, pg.ReadOnlySqlTransaction):
        return DatabaseReadOnly(
            f"the database takes no writes ({text}); name the primary, or unset default_transaction_read_only"
        )
    if isinstance(error, pg.InsufficientPrivilege):
        return DatabaseForbidden(
            f"the database user may not do this ({text}); grant it CREATE on the database or make it own"
            f" the schema"
            f" {SCHEMA}"
        )
    if isinstance(error, pg.InvalidAuthorizationSpecification | pg.InvalidPassword) or _refuses_login(text):
        return DatabaseForbidden(
            f"the database refuses the login ({text}); check user and password of the database URL"
        )
    if isinstance(error, pg.InvalidCatalogName) or ("does not exist" in text and "FATAL" in text):
        return DatabaseAway(f"the database does not exist ({text}); create it or name another one")
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return DatabaseAway(f"the database URL can't be used ({text}); check it")
    if isinstance(error, pg.QueryCanceled | pg.LockNotAvailable | pg.TransactionRollback):
        return DatabaseAway(f"the database is too busy ({text})")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseAway(
            f"the database can't be reached ({text}); check that it runs and the database URL"
        )
    return DataRefused(
        f"the database refuses the data ({text}); this is a fault of Memwarden, please report it"
    )


def _refuses_login(text: str) -> bool:
    """Errors while connecting carry no SQLSTATE before libpq 18: their text has to do."""
    return "authentication failed" in text or "no pg_hba.conf entry" in text or "no password supplied" in text
