"""Values as YAML, in block style, for files that people read. Texts are quoted as JSON does where they need it."""

import json
import re
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]*(?<!:)", re.ASCII)
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def yaml_text(value: Any, depth: int = 0) -> str:
    """Ends in a line break."""
    return "".join(f"{line}\n" for line in _lines(value, depth))


def _lines(value: Any, depth: int) -> list[str]:
    space = "  " * depth
    if isinstance(value, dict):
        return [
            line for key, child in value.items() for line in _entry(f"{space}{_scalar(key)}:", child, depth)
        ]
    lines = []
    for child in value:
        if isinstance(child, dict | list) and child:
            first, *rest = _lines(child, depth + 1)
            lines += [f"{space}- {first.lstrip()}", *rest]
        else:
            lines.append(f"{space}- {_scalar(child)}")
    return lines


def _entry(head: str, child: Any, depth: int) -> list[str]:
    if isinstance(child, dict | list) and child:
        return [head, *_lines(child, depth + 1)]
    return [f"{head} {_scalar(child)}"]


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
