"""The door to the collector: HTTP and JSON, one method for each thing that is asked or told.

What a newer collector says beyond our models is left out. Token and certificates are read anew as they change, so that
neither a rotated certificate nor a replaced token needs a restart. Every wait has a time-out. Raises CollectorError.
"""

import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError

from memwarden_api.alerts import CurrentAlerts
from memwarden_api.cluster import Coverage, CoveragePage, Owner, Owners, Restart, Restarts, Rollout, Rollouts
from memwarden_api.decisions import Decision, Decisions
from memwarden_api.evidence import Evidence, EvidencePage, EvidenceRequest
from memwarden_api.workloads import WorkloadChanges
from memwarden_operator.controller.errors import CollectorAway, CollectorError, CollectorRefuses
from memwarden_operator.controller.settings import Settings

BATCH: Final = 500
"""Items of one list; the collector takes 1000."""
WAIT_SECONDS: Final = 30
"""Of one long poll."""
_SECONDS: Final = 20.0
_COME_AGAIN: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
_API: Final = "/api/v1"
M = TypeVar("M", bound=BaseModel)


class CollectorDoor:
    """One session; `async with`."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.collector_url
        self._token_file = settings.collector_token_file
        self._trust = _Trust(settings.collector_ca_file)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"User-Agent": "memwarden-controller"})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def changes(self, after: str | None, wait: int = WAIT_SECONDS) -> WorkloadChanges:
        """What is new of workloads since a cursor; from the beginning without one."""
        query = {"wait": str(wait)} | ({"after": after} if after else {})
        read = await self._ask("GET", "/workloads/changes", query=query, seconds=wait + _SECONDS)
        return _model(WorkloadChanges, read)

    async def reporting(self, namespace: str) -> dict[str, int]:
        """Pods that data comes from, by profile."""
        found: dict[str, int] = {}
        cursor = ""
        while True:
            query = {"namespace": namespace} | ({"cursor": cursor} if cursor else {})
            page = _model(CoveragePage, await self._ask("GET", "/cluster/coverage", query=query))
            found |= {one.profile: one.reporting for one in page.items}
            if not page.next_cursor:
                return found
            cursor = page.next_cursor

    async def tell_owners(self, owners: Sequence[Owner]) -> None:
        for start in range(0, len(owners), BATCH):
            await self._tell("/cluster/owners", Owners(items=tuple(owners[start : start + BATCH])))

    async def tell_rollouts(self, rollouts: Sequence[Rollout]) -> None:
        for start in range(0, len(rollouts), BATCH):
            await self._tell("/cluster/rollouts", Rollouts(items=tuple(rollouts[start : start + BATCH])))

    async def tell_restarts(self, restarts: Sequence[Restart]) -> None:
        for start in range(0, len(restarts), BATCH):
            await self._tell("/cluster/restarts", Restarts(items=tuple(restarts[start : start + BATCH])))

    async def tell_coverage(self, namespace: str, profile: str, coverage: Coverage) -> None:
        await self._tell(f"/cluster/coverage/{quote(namespace)}/{quote(profile)}", coverage)

    async def tell_decisions(self, decisions: Sequence[Decision]) -> None:
        for start in range(0, len(decisions), BATCH):
            told = Decisions(items=tuple(decisions[start : start + BATCH]))
            await self._ask("POST", "/decisions", body=told.model_dump_json().encode())

    async def tell_alerts(self, now: CurrentAlerts) -> None:
        await self._tell("/alerts/current", now)

    async def forget_coverage(self, namespace: str, profile: str) -> None:
        """The profile is gone; that nothing was known of it is no error."""
        await self._forget(f"/cluster/coverage/{quote(namespace)}/{quote(profile)}")

    async def capture(self, evidence: str, wanted: EvidenceRequest, cluster: str) -> Evidence:
        """Have evidence taken, or go on with what was begun; ask again until it is no longer Capturing.

        `cluster` is the one whose HeapSnapshot it is; "" where that is not known.
        """
        body = wanted.model_dump_json().encode()
        query = {"cluster": cluster} if cluster else {}
        return _model(
            Evidence, await self._ask("PUT", f"/evidence/{quote(evidence)}", query=query, body=body)
        )

    async def evidence(self, namespace: str) -> list[Evidence]:
        """All that is kept; of one namespace, or of all with ""."""
        found: list[Evidence] = []
        cursor: str | None = None
        while True:
            query = {"limit": "100"} | ({"namespace": namespace} if namespace else {})
            query |= {"cursor": cursor} if cursor else {}
            page = _model(EvidencePage, await self._ask("GET", "/evidence", query=query))
            found += page.items
            if not page.next_cursor:
                return found
            cursor = page.next_cursor

    async def forget_evidence(self, evidence: str, *, keep_decided: bool = False) -> None:
        """`keep_decided`: not where a decision names it."""
        await self._forget(f"/evidence/{quote(evidence)}", {"keep_decided": "true"} if keep_decided else {})

    async def _forget(self, path: str, query: dict[str, str] | None = None) -> None:
        try:
            await self._ask("DELETE", path, query=query)
        except CollectorRefuses as error:
            if error.status not in (404, 405):
                raise

    async def _tell(self, path: str, content: BaseModel) -> None:
        await self._ask("PUT", path, body=content.model_dump_json().encode())

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = _SECONDS,
    ) -> bytes:
        assert self._session is not None, "async with CollectorDoor(…)"
        what = f"{method} {self._url}{_API}{path}"
        try:
            async with self._session.request(
                method,
                f"{self._url}{_API}{path}",
                params=query,
                data=body,
                headers=self._headers(body is not None),
                ssl=self._trust.context() if self._url.startswith("https") else True,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=5),
                allow_redirects=False,
            ) as response:
                read = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
            cause = " ".join(str(error).split())[:200] or type(error).__name__
            raise CollectorAway(f"the collector does not answer {what}: {cause}") from error
        if 200 <= response.status < 300:
            return read
        raise _error(what, response.status, read, response.headers.get("Retry-After", ""))

    def _headers(self, has_body: bool) -> dict[str, str]:
        headers = {"Content-Type": "application/json"} if has_body else {}
        if self._token_file is not None:
            try:
                headers["Authorization"] = f"Bearer {self._token_file.read_text(encoding='ascii').strip()}"
            except (OSError, UnicodeDecodeError) as error:
                raise CollectorRefuses(
                    f"the token in {self._token_file} can't be read: {error}", 0
                ) from error
        return headers


class _Trust:
    """The context of TLS; made anew when the file changes."""

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._made: tuple[tuple[int, int], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        if self._ca_file is None:
            if self._made is None:
                self._made = ((0, 0), ssl.create_default_context())
            return self._made[1]
        try:
            about = self._ca_file.stat()
            state = (about.st_mtime_ns, about.st_ino)
            if self._made is None or self._made[0] != state:
                self._made = (state, ssl.create_default_context(cafile=str(self._ca_file)))
        except (OSError, ssl.SSLError) as error:
            raise CollectorRefuses(
                f"the certificates in {self._ca_file} can't be used ({error}); mount the bundle that the collector's "
                "certificate is signed by",
                0,
            ) from error
        return self._made[1]


def _error(what: str, status: int, body: bytes, retry_after: str) -> CollectorError:
    said = _detail(body) or f"HTTP {status}"
    if status in _COME_AGAIN:
        seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
        return CollectorAway(f"the collector can't do {what} now ({said})", seconds)
    if status in (401, 403):
        return CollectorRefuses(
            f"the collector does not let the controller {what} ({said}); it needs a token of the controller's service "
            "account and the right to update memoryprofiles/status",
            status,
        )
    return CollectorRefuses(f"the collector refuses {what} ({said})", status)


def _detail(body: bytes) -> str:
    try:
        read: Any = json.loads(body)
    except ValueError:
        read = None
    text = read.get("detail", "") if isinstance(read, dict) else body.decode(errors="replace")
    return " ".join(str(text).split())[:300]


def _model(model: type[M], body: bytes) -> M:
    """Newer fields left out, at every depth."""
    try:
        return model.model_validate_json(body, extra="ignore")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CollectorRefuses(
            f"the collector's answer can't be read ({where}: {first['msg']}); have both of one version",
            0,
        ) from error
