"""One secret for all: the token that `memwarden run` makes at its start, or that an operator sets."""

import hmac

from memwarden_collector.access.caller import EVERYONE, Caller, Need
from memwarden_collector.errors import Refused


class EmbeddedToken:
    """`secret` None lets everyone in. Who is in may everything."""

    def __init__(self, secret: str | None) -> None:
        self._expected = None if secret is None else f"Bearer {secret}".encode()

    async def admit(self, authorization: bytes) -> Caller:
        if self._expected is None or hmac.compare_digest(authorization, self._expected):
            return EVERYONE
        raise Refused(
            401, "the bearer token is missing or wrong; send the value of MEMWARDEN_TOKEN", reason="token"
        )

    async def allows(self, caller: Caller, need: Need) -> bool:
        return True

    def close(self) -> None:
        return
