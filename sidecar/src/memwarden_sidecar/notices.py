"""What is said to people, and how often things happened.

A fault that comes back each second is said once and counted. The number of different texts and counters is
bounded, since some of them are made from what a peer sent. Secrets are taken out of every line.
"""

import logging
from collections import Counter
from typing import Final

LOGGER: Final = logging.getLogger("memwarden_sidecar")
DIFFERENT_NOTICES: Final = 256
"""Different things that are said in one life; what comes later is counted only."""
DIFFERENT_COUNTERS: Final = 256


class Notices:
    """Says each thing once. A counter belongs to one thread, or to one lock."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._said: set[str] = set()
        self._secrets = tuple(secret for secret in secrets if secret)
        self.counts: Counter[str] = Counter()

    def count(self, what: str, by: int = 1) -> None:
        if what in self.counts or len(self.counts) < DIFFERENT_COUNTERS:
            self.counts[what] += by

    def once(self, key: str, text: str) -> None:
        """Count `key`; say `text` the first time."""
        self.count(key)
        if key not in self._said and len(self._said) < DIFFERENT_NOTICES:
            self._said.add(key)
            LOGGER.warning("%s", self.clean(text))

    def forget(self, key: str) -> None:
        """What is over may be said again when it comes back."""
        self._said.discard(key)

    def clean(self, text: str) -> str:
        """`text` on one line, bounded, without any secret."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:1000]
