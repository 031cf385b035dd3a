"""The collector's HTTP interface as `memwarden top` reads it. Standard library only."""

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from memwarden.api import ApiError

TIMEOUT_SECONDS: Final = 3.0
_LONGEST_ANSWER: Final = 64 << 20
_PAGE: Final = 500
_PAGES: Final = 40


@dataclass(frozen=True, slots=True)
class Client:
    """`url` is the collector's, http or https, with or without a path in front of `/api/v1`."""

    url: str
    token: str

    def scopes(self) -> Iterator[dict[str, Any]]:
        """`memwarden_api.rest.Scope`s in the order in which they were first seen; at most 20 000."""
        cursor: str | None = None
        for _ in range(_PAGES):
            query = {"limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
            page = self._get(f"scopes?{urlencode(query)}")
            yield from page.get("items", [])
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def verdict(self, scope: str) -> dict[str, Any] | None:
        """`memwarden_api.report.Verdict`; None while there is none."""
        try:
            return self._get(f"scopes/{quote(scope, safe='')}/verdict")
        except ApiError as error:
            if error.status == http.client.NOT_FOUND:
                return None
            raise

    def series(self, scope: str, metric: str, start: float) -> list[dict[str, Any]]:
        """`memwarden_api.rest.SeriesPoints` from `start` (Unix seconds) on; empty while the scope is unknown."""
        query = urlencode({"metric": metric, "start": f"{max(0.0, start):.3f}"})
        try:
            items = self._get(f"scopes/{quote(scope, safe='')}/series?{query}").get("items", [])
        except ApiError as error:
            if error.status == http.client.NOT_FOUND:
                return []
            raise
        return [item for item in items if item.get("metric") == metric]

    def _get(self, path: str) -> dict[str, Any]:
        """Raises ApiError with a cause for a sentence."""
        address = urlsplit(self.url)
        host, port = address.hostname or "127.0.0.1", address.port
        connection = (
            http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
            if address.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        )
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            connection.request("GET", f"{address.path.rstrip('/')}/api/v1/{path}", headers=headers)
            response = connection.getresponse()
            body = response.read(_LONGEST_ANSWER)
        except TimeoutError as error:
            raise ApiError(f"it did not answer within {TIMEOUT_SECONDS:.0f} s") from error
        except ssl.SSLError as error:
            raise ApiError(f"TLS failed: {error.reason or error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ApiError("it does not answer") from error
        finally:
            connection.close()
        return _answer(response.status, body)


def _answer(status: int, body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if status >= http.client.MULTIPLE_CHOICES:
        problem = value if isinstance(value, dict) else {}
        raise ApiError(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"), status)
    if not isinstance(value, dict):
        raise ApiError("its answer is not a collector's; check the URL")
    return value
