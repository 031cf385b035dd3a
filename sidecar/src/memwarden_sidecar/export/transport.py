"""Batches over a link to the collector. An attempt has one of four outcomes; none raises.

OTLP/HTTP's rules: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response. Beyond them 401, 403 and 408
are tried again, since a token may be exchanged while we run; the bound is the backlog's.
"""

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceResponse,
)

from memwarden_api import names
from memwarden_sidecar.errors import Unreachable
from memwarden_sidecar.export.batch import Batch, Kind
from memwarden_sidecar.export.destination import Destination
from memwarden_sidecar.export.link import Link
from memwarden_sidecar.settings import RETRY_AFTER_SECONDS

RETRIED: Final = frozenset({401, 403, 408, 429, 502, 503, 504})
"""The collector, the network or the token is at fault, not the batch."""


class Verdict(Enum):
    TAKEN = "taken"
    LATER = "later"
    """Nothing can be sent at the moment."""
    FAULT = "fault"
    """The collector failed at this batch: again, but not for ever."""
    REFUSED = "refused"
    """This batch will never be taken."""


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    status: int = 0
    """HTTP status; 0 without an answer."""
    reason: str = ""
    """In the words of the collector or the system. With TAKEN: what it did not take of the batch."""
    retry_after: float = 0.0
    """Seconds that the collector asks us to wait."""


class Transport:
    """Sends from one thread; `abort` may be called from another."""

    def __init__(self, destination: Destination) -> None:
        self._link = Link(destination)

    def post(self, batch: Batch) -> Outcome:
        """One attempt."""
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            names.BATCH_ID_HEADER: batch.id,
        }
        try:
            answer = self._link.request("POST", batch.kind.path, batch.body, headers)
        except Unreachable as error:
            return Outcome(Verdict.LATER, 0, str(error))
        return judge(
            batch.kind, answer.status, answer.body, answer.headers.get("retry-after", ""), time.time()
        )

    def abort(self) -> None:
        """From another thread: wake up one that waits for the collector."""
        self._link.abort()

    def close(self) -> None:
        self._link.close()


def judge(kind: Kind, status: int, body: bytes, after: str, now: float) -> Outcome:
    """What an answer means. `now` is in Unix seconds, for a Retry-After that is a date."""
    if 200 <= status < 300:
        return Outcome(Verdict.TAKEN, status, _partial(kind, body))
    reason = _reason(body)
    if status in RETRIED:
        return Outcome(Verdict.LATER, status, reason, seconds_to_wait(after, now))
    if status == 500:
        return Outcome(Verdict.FAULT, status, reason, seconds_to_wait(after, now))
    return Outcome(Verdict.REFUSED, status, reason)


def _partial(kind: Kind, body: bytes) -> str:
    try:
        if kind is Kind.METRICS:
            metrics = ExportMetricsServiceResponse.FromString(body).partial_success
            rejected, message = metrics.rejected_data_points, metrics.error_message
        else:
            profiles = ExportProfilesServiceResponse.FromString(body).partial_success
            rejected, message = profiles.rejected_profiles, profiles.error_message
    except DecodeError:
        return ""
    return f"{rejected} of its parts: {message}" if rejected or message else ""


def _reason(body: bytes) -> str:
    """Text of a google.rpc.Status: its fields 1 (int32) and 2 (string) are those of the message used here."""
    try:
        text = ExportMetricsPartialSuccess.FromString(body).error_message
    except DecodeError:
        text = ""
    return text or body[:200].decode("utf-8", "replace")


def seconds_to_wait(text: str, now: float) -> float:
    """Seconds of a Retry-After, within RETRY_AFTER_SECONDS; 0 where there is none."""
    try:
        seconds = float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), RETRY_AFTER_SECONDS)
