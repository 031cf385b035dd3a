"""What the blocks of one group say about their scopes: command, host, interval, limit, and from when to when."""

from collections.abc import Iterable
from dataclasses import dataclass

from memwarden_api import names
from memwarden_collector.batch import Attributes, ResourceBlock


@dataclass(slots=True)
class ScopeFacts:
    """What blocks of one group say about one scope."""

    name: str
    kind: str
    first: int
    last: int
    command: str = ""
    host: str = ""
    interval: float | None = None
    limit: float | None = None
    limit_source: str | None = None

    def comparable(self) -> int:
        return hash((self.command, self.host, self.interval, self.limit, self.limit_source))


def gather(blocks: Iterable[ResourceBlock]) -> dict[str, ScopeFacts]:
    """By the scope's name."""
    facts: dict[str, ScopeFacts] = {}
    limits: dict[str, int] = {}
    for block in blocks:
        identity, attributes = block.identity, block.attributes
        first, last = block.span() or (0, 0)
        fact = facts.setdefault(identity.scope, ScopeFacts(identity.scope, identity.kind, first, last))
        fact.first, fact.last = min(first, fact.first), max(last, fact.last)
        if identity.pid is None:
            fact.command = command_text(attributes) or fact.command
        host = attributes.get(names.HOST_NAME)
        fact.host = host if isinstance(host, str) else fact.host
        interval = attributes.get(names.SAMPLE_INTERVAL)
        if isinstance(interval, int | float) and interval > 0:
            fact.interval = float(interval)
        for time, row in block.wide.items():
            limit = row.get("limit_bytes")
            if isinstance(limit, float) and time >= limits.get(identity.scope, 0):
                limits[identity.scope] = time
                fact.limit = limit
                fact.limit_source = str(row.get("limit_source", "")) or None
    return facts


def command_text(attributes: Attributes) -> str:
    """The command line as one text, whether it was sent as text or as an array."""
    value = attributes.get(names.PROCESS_COMMAND_LINE)
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return value if isinstance(value, str) else ""
