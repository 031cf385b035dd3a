"""Hello: the first line that a probe sends. Its peer is a user's process, so nothing in it is trusted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from memwarden_sidecar.errors import Refused

PROTOCOL: Final = 1
DESCRIPTORS: Final = ("table", "proc", "cgroup")
"""What may come with a hello: the probe's table; of a container, its /proc and its memory cgroup's folder."""
PREFIXES: Final = 32
"""Folders of libraries that are kept."""
TEXT: Final = 1024
"""Characters kept of each text."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a process says of itself. `reason` is why it has no hook; "" with a table."""

    id: int | str
    pid: int
    parent_pid: int
    runtime: str
    version: str
    capabilities: frozenset[str]
    reason: str
    library_prefixes: tuple[str, ...]
    executable: str = ""
    descriptors: tuple[str, ...] = ("table",)
    """Names of what came with it, in order."""
    proc_pid: int = 0
    """Its id in the process namespace of the /proc that came with it; 0: none came."""

    @property
    def hooked(self) -> bool:
        return "sites" in self.capabilities


def parse_line(line: bytes) -> Mapping[str, object]:
    """One message of JSON-RPC. Raises Refused."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise Refused("not-json", "a line is not JSON") from None
    if not isinstance(message, dict):
        raise Refused("not-an-object", "a line is not a JSON object")
    return message


def parse_hello(message: Mapping[str, object]) -> Hello:
    """Raises Refused."""
    if message.get("method") != "hello":
        raise Refused("no-hello", "the first message is not hello")
    parameters = message.get("params")
    if not isinstance(parameters, dict):
        raise Refused("bad-hello", "hello has no parameters")
    if parameters.get("protocol") != PROTOCOL:
        raise Refused(
            "protocol", f"hello speaks protocol {parameters.get('protocol')!r}, this sidecar {PROTOCOL}"
        )
    number = message.get("id")
    descriptors = tuple(_texts(parameters.get("descriptors"))) or ("table",)
    if len(set(descriptors)) < len(descriptors) or not set(descriptors) <= set(DESCRIPTORS):
        raise Refused("bad-hello", f"hello brings {descriptors!r}, and may bring {DESCRIPTORS!r}")
    return Hello(
        id=number if isinstance(number, int | str) else 0,
        pid=_whole(parameters.get("pid")),
        parent_pid=_whole(parameters.get("ppid")),
        runtime=_text(parameters.get("runtime")),
        version=_text(parameters.get("version")),
        capabilities=frozenset(_texts(parameters.get("capabilities"))),
        reason=_text(parameters.get("reason")),
        library_prefixes=tuple(
            dict.fromkeys((*_texts(parameters.get("stdlib")), *_texts(parameters.get("site_packages"))))
        )[:PREFIXES],
        executable=_text(parameters.get("executable")),
        descriptors=descriptors,
        proc_pid=_whole(parameters.get("proc_pid")),
    )


def _text(value: object) -> str:
    return value[:TEXT] if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return (
        [item[:TEXT] for item in value[:PREFIXES] if isinstance(item, str) and item]
        if isinstance(value, list)
        else []
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
