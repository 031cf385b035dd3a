"""The collector's HTTP interface as the command uses it. Standard library only: the command stays small while
the app runs.
"""

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

Result = TypeVar("Result")


class ApiError(Exception):
    """The collector did not answer, or said no. The text is a cause for a sentence."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Api:
    """One scope at one collector."""

    url: str
    token: str
    scope: str

    def verdict(self, timeout_seconds: float) -> dict[str, Any]:
        """The verdict as last judged."""
        return self._json("GET", "verdict", timeout_seconds)

    def judge(self, timeout_seconds: float) -> dict[str, Any]:
        """The verdict as of now."""
        return self._json("POST", "judge", timeout_seconds)

    def recording(self, timeout_seconds: float) -> bytes:
        """The kept file."""
        return self._request("GET", "recording", timeout_seconds)

    def series(self, metric: str, timeout_seconds: float, **bounds: float) -> list[dict[str, Any]]:
        """The series of `metric`, each as `memwarden_api.rest.SeriesPoints`; `start` and `end` are Unix
        seconds.
        """
        query = urlencode({"metric": metric, **bounds})
        items = self._json("GET", f"series?{query}", timeout_seconds).get("items", [])
        return [item for item in items if item.get("metric") == metric]

    def _json(self, method: str, path: str, timeout_seconds: float) -> dict[str, Any]:
        body = self._request(method, path, timeout_seconds)
        try:
            value = json.loads(body)
        except ValueError as error:
            raise ApiError("its answer is not JSON") from error
        if not isinstance(value, dict):
            raise ApiError("its answer is not an object")
        return value

    def _request(self, method: str, path: str, timeout_seconds: float) -> bytes:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            address.hostname or "127.0.0.1", address.port, timeout=timeout_seconds
        )
        try:
            connection.request(
                method,
                f"/api/v1/scopes/{quote(self.scope, safe='')}/{path}",
                headers={"Authorization": f"Bearer {self.token}", "Content-Length": "0"},
            )
            response = connection.getresponse()
            body = response.read()
        except TimeoutError as error:
            raise ApiError(f"it did not answer within {timeout_seconds:.0f} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise ApiError("it does not answer") from error
        finally:
            connection.close()
        if response.status >= 300:
            raise ApiError(_problem(body) or f"HTTP {response.status}", response.status)
        return body


def _problem(body: bytes) -> str:
    """The text of a problem+json body."""
    try:
        problem = json.loads(body)
        return str(problem.get("detail") or problem.get("title") or "")
    except (ValueError, AttributeError):
        return ""


class Call(Generic[Result]):
    """A call in a thread, so that the main thread goes on hearing signals; given up by not waiting for it."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True, name="memwarden-call")
        self._thread.start()

    def _work(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Result:
        """What the function returned; raises what it raised, and ApiError when it is not done."""
        if not self.done():
            raise ApiError("cut short")
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result
