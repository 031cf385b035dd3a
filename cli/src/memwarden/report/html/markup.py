"""HTML that can only be made escaped: text is text until it is wrapped by `tag`."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any, Final, TypeAlias

LONGEST_TEXT: Final = 300
"""Characters of a name that are shown; of a longer one the beginning and the end."""
_TAIL: Final = 80
_LINE_BREAKS: Final = str.maketrans({"\n": "⏎", "\r": "⏎", "\t": " ", "\v": "⏎", "\f": "⏎", "\x85": "⏎",
                                     "\u2028": "⏎", "\u2029": "⏎"})  # fmt: skip
_VOID: Final = frozenset({"meta", "input", "br", "hr", "col"})


class Markup(str):
    """HTML that is safe to put into a page as it is."""

    __slots__ = ()


Content: TypeAlias = "Markup | str | Iterable[Content] | None"


def shown(text: str, longest: int = LONGEST_TEXT) -> str:
    """One line a person can look at: line breaks as ⏎, no control, steering or broken characters, not endless."""
    size = len(text)
    if size > longest:
        text = f"{text[: longest - _TAIL]} … {text[-_TAIL:]}"
    line = "".join(one if one.isprintable() else "�" for one in text.translate(_LINE_BREAKS))
    return f"{line} ({size} characters)" if size > longest else line


def tag(name: str, /, *content: Content, **attributes: str | int | float | bool | None) -> Markup:
    """An element. `class_` is `class`, other `_` become `-`; None and False leave an attribute out."""
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        words.append(label if value is True else f'{label}="{escape(shown(str(value), 2000))}"')
    opening = f"<{' '.join(words)}>"
    return Markup(opening if name in _VOID else f"{opening}{join(content)}</{name}>")


def join(content: Content) -> Markup:
    """Pieces side by side; plain text is escaped."""
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(escape(shown(content, 4000)))
    return Markup("".join(join(one) for one in content))


def data_block(identity: str, value: Any) -> Markup:
    """A block of JSON that no string in it can end: `<`, `>` and `&` are written as escapes of JSON."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(f'<script type="application/json" id="{identity}">{text}</script>')
