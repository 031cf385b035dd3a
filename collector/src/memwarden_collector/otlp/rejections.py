"""What was not taken from a request, and why: the text and the count of a partial success."""

import re
from collections import Counter
from typing import Final

from memwarden_collector.settings import Limits
from memwarden_collector.telemetry import Telemetry

_MAX_REASONS: Final = 8
_MAX_TEXT: Final = 2000


_LIMIT: Final = re.compile(r"\b([a-z]+(?:_[a-z]+)+)=")


def limit_labels(text: str, limits: Limits) -> dict[str, str]:
    """The limit that a message names, and its value, as labels. The value is the setting's, not the text's: a client's
    words never become labels.
    """
    for name in _LIMIT.findall(text):
        if name in Limits.model_fields:
            return {"limit": name, "value": str(getattr(limits, name))}
    return {}


class Rejections:
    """Counts by (short reason, text). A warning counts nothing: the point was stored, with something cut."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._rejected: Counter[tuple[str, str]] = Counter()
        self._warned: Counter[tuple[str, str]] = Counter()

    def reject(self, reason: str, text: str, count: int = 1) -> None:
        """`reason` is a short word for counters; `text` names the limit and its value."""
        if count:
            self._rejected[reason, text] += count

    def warn(self, reason: str, text: str, count: int = 1) -> None:
        self._warned[reason, text] += count

    @property
    def count(self) -> int:
        return self._rejected.total()

    def message(self) -> str:
        """ "" when all is well."""
        parts = [f"{count} {self._noun} rejected: {text}" for (_, text), count in self._most(self._rejected)]
        parts += [f"{count}× {text}" for (_, text), count in self._most(self._warned)]
        return "; ".join(parts)[:_MAX_TEXT]

    def report(self, telemetry: Telemetry, limits: Limits, signal: str) -> None:
        """Add to the counters."""
        for (reason, text), count in self._rejected.items():
            labels = limit_labels(text, limits)
            telemetry.count("rejected_total", count, signal=signal, reason=reason, **labels)

    @staticmethod
    def _most(counter: Counter[tuple[str, str]]) -> list[tuple[tuple[str, str], int]]:
        return counter.most_common(_MAX_REASONS)
