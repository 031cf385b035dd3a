"""Queries of readers that take long: counted, and logged with their plan, never with their parameters (secrets).

The plan is made for any parameters (`generic_plan`, PostgreSQL 16 and newer), so that none of them is in it. It is
asked for on the connection that was slow, at most once in ten minutes for a statement, and six times a minute for all.
"""

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
_STATEMENT_SECONDS: Final = 600.0
_A_MINUTE: Final = 6
_MAX_STATEMENTS: Final = 500
_MAX_TEXT: Final = 4000
_GENERIC_PLAN: Final = 160_000
_COPY: Final = "copy ("
_TO_STDOUT: Final = ") to stdout"
Connection = psycopg.Connection[TupleRow]


class SlowQueries:
    """Of one process. Safe to use from any thread."""

    def __init__(
        self, seconds: float, telemetry: Telemetry, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self._telemetry = telemetry
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told: OrderedDict[str, float] = OrderedDict()
        self._lately: deque[float] = deque(maxlen=_A_MINUTE)

    def watch(self, connection: Connection) -> None:
        """From now on its queries are timed."""
        if self.seconds:
            slow = self

            class Timed(_Timed):
                queries = slow

            connection.cursor_factory = Timed

    def note(self, connection: Connection, statement: bytes, seconds: float) -> None:
        """It took so long. Raises nothing."""
        self._telemetry.count("slow_queries_total")
        text = " ".join(statement.decode(errors="replace").split())
        if not self._may_be_told(text):
            return
        _log.warning(
            "a query took %.2f s, over slow_query_seconds=%g: %s\n%s",
            seconds,
            self.seconds,
            text[:_MAX_TEXT],
            _plan(connection, text)[:_MAX_TEXT],
        )

    def _may_be_told(self, text: str) -> bool:
        now = self._monotonic()
        with self._lock:
            if now - self._told.get(text, float("-inf")) < _STATEMENT_SECONDS:
                return False
            if len(self._lately) == _A_MINUTE and now - self._lately[0] < 60:
                return False
            self._lately.append(now)
            self._told[text] = now
            self._told.move_to_end(text)
            if len(self._told) > _MAX_STATEMENTS:
                self._told.popitem(last=False)
        return True


class _Timed(psycopg.Cursor[TupleRow]):
    """A cursor that tells how long its statement took; of COPY, with all that was read."""

    queries: SlowQueries

    def execute(self, query: Any, params: Any = None, **options: Any) -> "_Timed":
        began = time.perf_counter()
        super().execute(query, params, **options)
        self._tell(began)
        return self

    @contextmanager
    def copy(self, statement: Any, params: Any = None, **options: Any) -> Iterator[Any]:
        began = time.perf_counter()
        with super().copy(statement, params, **options) as copy:
            yield copy
        self._tell(began)

    def _tell(self, began: float) -> None:
        seconds = time.perf_counter() - began
        if seconds >= self.queries.seconds and self._query is not None:
            self.queries.note(self.connection, self._query.query, seconds)


def _plan(connection: Connection, text: str) -> str:
    """The plan for any parameters, or why there is none."""
    query = text
    if query.lower().startswith(_COPY) and _TO_STDOUT in query.lower():
        query = query[len(_COPY) : query.lower().rindex(_TO_STDOUT)]
    if not query.lower().startswith(("select", "with")):
        return "(no plan: it does not read)"
    if connection.info.server_version < _GENERIC_PLAN:
        return "(no plan: PostgreSQL 16 and newer can make one without the parameters)"
    if connection.info.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
        return "(no plan: its transaction has failed)"
    try:
        # A transaction of its own, or a savepoint: a plan that can't be made must not end the reader's.
        with connection.transaction(), psycopg.Cursor(connection) as cursor:
            rows = cursor.execute(b"explain (generic_plan) " + query.encode()).fetchall()
    except psycopg.Error as error:
        return f"(no plan: {' '.join(str(error).split())})"
    return "\n".join(str(row[0]) for row in rows)
