"""Who may, as the cluster says: TokenReview for who it is, SubjectAccessReview for what he may.

Answers are remembered (`token_seconds`, a no `refusal_seconds`). While the API server is away, tokens that are known
go on until they expire, rights for `away_seconds`, and what is not known is told to come again (503). After a failure
it is left alone for some seconds: nobody waits for a time-out that another has just waited for.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from memwarden_collector.access.caller import GROUP, Caller, Need, Pod
from memwarden_collector.access.claims import claims_of
from memwarden_collector.access.remembered import Answer, Remembered
from memwarden_collector.clock import Clock
from memwarden_collector.errors import Overloaded, Refused
from memwarden_collector.settings import Reviews
from memwarden_collector.telemetry import Telemetry
from memwarden_kube.api import Api
from memwarden_kube.errors import KubeError, Unreachable
from memwarden_kube.reviews import Identity, Right, review_right, review_token

_log = logging.getLogger(__name__)
_THREADS: Final = 8
_MAX_WAITING: Final = 512
"""Reviews under way; who comes then is told to come again."""
_PAUSE_SECONDS: Final = 3.0
"""After a failure the API server is left alone so long."""
_CLOCK_SECONDS: Final = 300.0
"""Our clock may be so much ahead of the API server's, which is the one that counts."""
_BEARER: Final = b"bearer "
T = TypeVar("T")


class ClusterAccess:
    """For one event loop."""

    def __init__(self, api: Api, settings: Reviews, clock: Clock, telemetry: Telemetry) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="review")
        self._waiting = 0
        self._paused_until = float("-inf")
        self._trouble = ""
        self._callers: Remembered[Caller | str] = Remembered(settings.max_cached_tokens, clock.monotonic)
        self._rights: Remembered[bool] = Remembered(settings.max_cached_rights, clock.monotonic)
        telemetry.gauge("known_tokens", lambda: len(self._callers))

    async def admit(self, authorization: bytes) -> Caller:
        token = _bearer(authorization)
        claims = claims_of(token)
        if claims is None:
            raise _refusal("send a service account's token as bearer")
        if self._settings.audience not in claims.audiences:
            raise _refusal(f"the token is not for the audience {self._settings.audience!r}")
        left = claims.expires - self._clock.now().earliest
        if left <= -_CLOCK_SECONDS:
            raise _refusal("the token has expired; read it anew before each use")

        async def ask() -> Answer[Caller | str]:
            found = await self._review(
                "token", lambda: review_token(self._api, token, self._settings.audience)
            )
            now = self._clock.monotonic()
            if isinstance(found, str):
                return Answer(found, now + self._settings.refusal_seconds, now)
            return Answer(
                _caller(found), now + min(self._settings.token_seconds, max(1.0, left)), now + max(0.0, left)
            )

        caller = await self._callers.get(hashlib.sha256(token.encode()).digest(), ask)
        if isinstance(caller, str):
            raise _refusal(f"the cluster does not take the token: {caller}")
        return caller

    async def allows(self, caller: Caller, need: Need) -> bool:
        identity = caller.identity
        if identity is None:
            return False
        right = Right(need.verb, GROUP, need.resource, need.namespace, need.subresource)

        async def ask() -> Answer[bool]:
            allowed = await self._review("right", lambda: review_right(self._api, identity, right))
            now = self._clock.monotonic()
            seconds = self._settings.token_seconds if allowed else self._settings.refusal_seconds
            return Answer(allowed, now + seconds, now + (self._settings.away_seconds if allowed else 0.0))

        return await self._rights.get((identity.user, identity.uid, identity.groups, right), ask)

    async def _review(self, kind: str, ask: Callable[[], T]) -> T:
        """In a thread. Raises Overloaded."""
        if self._clock.monotonic() < self._paused_until:
            raise Overloaded(f"{self._trouble}; send it again later", reason="review")
        if self._waiting >= _MAX_WAITING:
            raise Overloaded(
                f"{_MAX_WAITING} reviews wait for the API server; send it again later", reason="review"
            )
        self._waiting += 1
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except KubeError as error:
            self._telemetry.count("reviews_total", kind=kind, result=type(error).__name__)
            self._pause(str(error), away=isinstance(error, Unreachable))
            raise Overloaded(f"who calls can't be told: {error}", reason="review") from error
        finally:
            self._waiting -= 1
        self._trouble = ""
        self._telemetry.count("reviews_total", kind=kind, result="answered")
        return found

    def _pause(self, trouble: str, *, away: bool) -> None:
        if not self._trouble:
            (_log.warning if away else _log.error)("who calls can't be told: %s", trouble)
        self._trouble = f"who calls can't be told: {trouble}"
        self._paused_until = self._clock.monotonic() + _PAUSE_SECONDS

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._api.close()


def _bearer(authorization: bytes) -> str:
    if authorization[: len(_BEARER)].lower() != _BEARER:
        return ""
    return authorization[len(_BEARER) :].strip().decode("latin-1")


def _caller(identity: Identity) -> Caller:
    pod = Pod(identity.namespace, identity.pod, identity.pod_uid) if identity.pod_uid else None
    return Caller(identity.user, pod, identity)


def _refusal(why: str) -> Refused:
    return Refused(401, f"{why}; a pod mounts one with a projected volume", reason="token")
