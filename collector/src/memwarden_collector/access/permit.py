"""What a request is let in with: who calls, and whom to ask what he may. `Root` leaves it in the ASGI scope."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, cast

from memwarden_collector.access.caller import WRITE, Access, Caller, Need
from memwarden_collector.errors import Refused

_KEY: Final = "memwarden.permit"


@dataclass(frozen=True, slots=True)
class Permit:
    """For one request; `loop` is the one that `access` lives on."""

    caller: Caller
    access: Access
    loop: asyncio.AbstractEventLoop

    async def require(self, need: Need) -> None:
        """Raises Refused (403), Overloaded."""
        if not await self.access.allows(self.caller, need):
            raise Refused(
                403,
                f"{self.caller.name} may not {need}; grant it by a Role and a RoleBinding",
                reason="right",
            )

    async def require_pod(self, uid: str) -> None:
        """The caller is that pod, or may write for all. Raises Refused (403), Overloaded."""
        if self.caller.pod is None or self.caller.pod.uid != uid:
            await self.require(WRITE)


def leave(scope: Any, permit: Permit) -> None:
    scope[_KEY] = permit


def left_in(scope: Any) -> Permit:
    return cast(Permit, scope[_KEY])
