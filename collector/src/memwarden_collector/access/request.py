"""For routes: who calls, and what he may. A route that has to look an object up first asks here.

`Root` has let the caller in and has held him to `rules`. Routes run in threads, so asking waits for the event loop.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Final

from starlette.requests import Request

from memwarden_collector.access.caller import Caller, Need
from memwarden_collector.access.permit import Permit, left_in
from memwarden_collector.errors import Overloaded

_SECONDS: Final = 15.0


def caller(request: Request) -> Caller:
    """For `Depends(caller)`."""
    return left_in(request.scope).caller


def require(request: Request, need: Need) -> None:
    """From a route's thread. Raises Refused (403), Overloaded."""
    permit = left_in(request.scope)
    _wait(permit, permit.require(need))


def require_pod(request: Request, uid: str) -> None:
    """From a route's thread: the caller is that pod, or may write for all. Raises Refused (403), Overloaded."""
    permit = left_in(request.scope)
    _wait(permit, permit.require_pod(uid))


def _wait(permit: Permit, asking: Coroutine[Any, Any, None]) -> None:
    future = asyncio.run_coroutine_threadsafe(asking, permit.loop)
    try:
        future.result(_SECONDS)
    except FutureTimeout:
        future.cancel()
        raise Overloaded(
            f"what {permit.caller.name} may is not known yet; ask again later", reason="review"
        ) from None
