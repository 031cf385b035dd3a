"""The bearer token that guards every door."""

import hmac

from memwarden_collector.errors import Refused


class Token:
    """`secret` None lets everyone in."""

    def __init__(self, secret: str | None) -> None:
        self._expected = None if secret is None else f"Bearer {secret}".encode()

    def fits(self, authorization: bytes) -> bool:
        """Whether this is the value of an authorization header that may enter."""
        return self._expected is None or hmac.compare_digest(authorization, self._expected)

    @staticmethod
    def refusal() -> Refused:
        return Refused(
            401, "the bearer token is missing or wrong; send the value of MEMWARDEN_TOKEN", reason="token"
        )
