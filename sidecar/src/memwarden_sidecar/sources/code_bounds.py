"""Bounds that a program keeps to in its code: `if len(SEEN) > 4000: SEEN.popitem()`, read out of its source.

What a person looks for beside a dict that grows. A bound counts only where the same container is taken from, or begun
anew, in what the comparison leads to, and where its number stands in the same file: a constant, the default of a
parameter, an argument by keyword. Of several numbers of one name the largest counts: the least that may be relied on.

Read by lines and their indentation, not by a syntax tree: a tree of a large file takes tens of megabytes, and must be
of this Python's own grammar. What is written in another way is not found; then nothing is known, as before.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

BODY_LINES: Final = 60
"""Lines of a block that are looked through."""

_NAME = r"[A-Za-z_]\w*"
_NUMBER = r"\d[\d_]*(?:\s*(?:\*\*|\*|<<)\s*\d[\d_]*)*"
_DEF = re.compile(rf"(?:async\s+)?def\s+({_NAME})")
_CLASS = re.compile(rf"class\s+({_NAME})")
_GUARD = re.compile(r"(?:if|elif|while)\b")
_OF = rf"len\(\s*({_NAME}(?:\.{_NAME})?)\s*\)"
_BOUND = rf"({_NAME}(?:\.{_NAME})*|{_NUMBER})(?=\s*(?:[:)#]|$|\band\b|\bor\b))"
_OVER = re.compile(rf"{_OF}\s*>=?\s*{_BOUND}")
_UNDER = re.compile(rf"({_NAME}(?:\.{_NAME})*|{_NUMBER})\s*<=?\s*{_OF}")
_GIVEN = re.compile(
    rf"(?<![\w.])(?:self\.|cls\.)?({_NAME})[ \t]*(?::[^=,()\n]+)?=(?!=)[ \t]*({_NUMBER})(?=[ \t]*(?:[,)#;]|$))",
    re.MULTILINE,
)
_HANDED_ON = re.compile(
    rf"(?:self|cls)\.({_NAME})[ \t]*(?::[^=\n]+)?=(?!=)[ \t]*({_NAME})[ \t]*(?:#|$)", re.MULTILINE
)
_CALL = re.compile(rf"(?<![\w.])(?:self\.|cls\.)?({_NAME})\(")


class CodeBound(NamedTuple):
    """A container that gives up entries when it has more than `entries`, as line `line` says."""

    owner: str
    """The class whose attribute it is; "" for a variable of the module."""
    name: str
    entries: int
    line: int


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def code_bounds(source: str) -> list[CodeBound]:
    """All that this file tells, the largest first."""
    lines = [
        _Line(number, len(text) - len(stripped), stripped)
        for number, text in enumerate(source.splitlines(), 1)
        if (stripped := text.lstrip()) and not stripped.startswith("#")
    ]
    numbers = _numbers(source)
    functions = {
        found[1]: place for place, line in enumerate(lines) if (found := _DEF.match(line.text)) is not None
    }
    bounds = []
    for place, line in enumerate(lines):
        for container, word in _compared(line.text):
            entries = _value(word, numbers)
            if entries and _is_taken_from(container, place, lines, functions):
                owner, _, name = container.rpartition(".")
                if owner in ("self", "cls"):
                    owner = _class_around(place, lines)
                elif owner or not _is_of_module(name, source):
                    continue
                bounds.append(CodeBound(owner, name, entries, line.number))
    return sorted(bounds, key=lambda bound: -bound.entries)


def bound_of(name: str, bounds: Sequence[CodeBound]) -> CodeBound | None:
    """The bound of what a census calls `name`: module.VARIABLE or module.Class.attribute."""
    before, _, attribute = name.rpartition(".")
    owner = before.rpartition(".")[2]
    for bound in bounds:
        if bound.name == attribute and bound.owner in ("", owner):
            return bound
    return None


def _is_of_module(name: str, source: str) -> bool:
    """Not a variable of a function, which no census can name."""
    return re.search(rf"^{re.escape(name)}\s*(?::[^=]+)?=(?!=)", source, re.MULTILINE) is not None


def _compared(text: str) -> Iterator[tuple[str, str]]:
    """(container, bound) of a line that asks whether there is too much in it."""
    if _GUARD.match(text):
        for found in _OVER.finditer(text):
            yield found[1], found[2]
        for found in _UNDER.finditer(text):
            yield found[2], found[1]


def _numbers(source: str) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for name, text in _GIVEN.findall(source):
        numbers[name] = max(numbers.get(name, 0), _number(text))
    for name, other in _HANDED_ON.findall(source):
        if other in numbers:
            numbers[name] = max(numbers.get(name, 0), numbers[other])
    return numbers


def _value(word: str, numbers: Mapping[str, int]) -> int:
    """0 where the file does not tell."""
    return _number(word) if word[0].isdigit() else numbers.get(word.rpartition(".")[2], 0)


def _number(text: str) -> int:
    """`64 * 1024`, `1 << 20`, `10_000`, `10**6`; what could take long to compute counts as unknown (0)."""
    first, *rest = re.split(r"\s*(\*\*|\*|<<)\s*", text.replace("_", ""))
    if any(len(part) > 18 for part in (first, *rest)):
        return 0
    value = int(first)
    for sign, part in zip(rest[::2], rest[1::2], strict=True):
        operand = int(part)
        if sign == "*":
            value *= operand
        elif operand > 60:
            return 0
        else:
            value = value**operand if sign == "**" else value << operand
    return min(value, 2**60)


def _is_taken_from(container: str, guard: int, lines: Sequence[_Line], functions: Mapping[str, int]) -> bool:
    """Whether what this comparison leads to, or a function that it calls, takes something out of the container."""
    known = re.escape(container)
    takes = re.compile(
        rf"(?<![\w.]){known}\.(?:popitem|popleft|pop|clear|remove|discard|expire|evict)\("
        rf"|\bdel\s+{known}\b|(?<![\w.]){known}\s*(?::[^=]+)?=(?!=)|\bheappop\(\s*{known}\s*\)"
    )
    body = list(_block(guard, lines))
    if any(takes.search(text) for text in body):
        return True
    called = {name for text in body for name in _CALL.findall(text)} & set(functions)
    return any(takes.search(text) for name in called for text in _block(functions[name], lines))


def _block(head: int, lines: Sequence[_Line]) -> Iterator[str]:
    """What follows the colon of a line, and the deeper lines after it."""
    first = lines[head]
    yield first.text.rpartition(":")[2]
    for line in lines[head + 1 : head + 1 + BODY_LINES]:
        if line.indent <= first.indent:
            return
        yield line.text


def _class_around(place: int, lines: Sequence[_Line]) -> str:
    """The innermost class that a line stands in."""
    indent = lines[place].indent
    for line in reversed(lines[:place]):
        if line.indent < indent:
            indent = line.indent
            found = _CLASS.match(line.text)
            if found:
                return found[1]
    return ""
