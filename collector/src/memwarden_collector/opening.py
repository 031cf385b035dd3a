"""The database at the start: connected, brought to the newest schema, looked at. It may go on beside the imports.

The server's modules take half a second to import, and what the database does meanwhile it does on its own: `Opening` is
begun before those imports and asked after them.
"""

import contextlib
import logging
import time
from concurrent.futures import Future
from threading import Thread
from typing import Final

from memwarden_collector.errors import StoreError
from memwarden_collector.settings import Settings
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.migrate import migrate
from memwarden_collector.store.tier import Store, describe

_log = logging.getLogger(__name__)
_STARTING_SECONDS: Final = 5.0
"""A database that was started a moment ago is waited for."""


class Opening:
    """Begins when it is made; `result` waits for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._future: Future[tuple[Database, Store, int]] = Future()
        # A daemon: a start that fails for another reason does not wait for it.
        Thread(target=self._open, name="opening", daemon=True).start()

    def result(self) -> tuple[Database, Store]:
        """Raises StoreError."""
        database, store, ran = self._future.result()
        _tell(store, ran)
        return database, store

    def _open(self) -> None:
        try:
            self._future.set_result(_open(self._settings, None))
        except BaseException as error:
            self._future.set_exception(error)


def open_database(settings: Settings, target: int) -> Database:
    """Connect and bring the schema to `target`; raises StoreError, and ValueError for a number that isn't known."""
    database, store, ran = _open(settings, target)
    _tell(store, ran)
    return database


def _open(settings: Settings, target: int | None) -> tuple[Database, Store, int]:
    database = Database(settings.database_url.get_secret_value())
    with contextlib.closing(_first_connection(database)) as connection:
        ran = migrate(connection, target=target)
        return database, describe(connection), ran


def _first_connection(database: Database) -> Connection:
    until = time.monotonic() + _STARTING_SECONDS
    while True:
        try:
            return database.connect("migrations")
        except StoreError as error:
            if "starting up" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.05)


def _tell(store: Store, ran: int) -> None:
    if ran:
        _log.info("the database's schema took %d migrations", ran)
    _log.info("%s", store)
