"""A Python file by its lines and their indentation: blocks, classes, functions, and the numbers that stand in it.

Not a syntax tree: one of a large file takes tens of megabytes, and must be of this Python's own grammar. What is
written in another way than is expected here is not found.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

BODY_LINES: Final = 60
"""Lines of a block that are looked through."""
LONGEST_LINE: Final = 400
"""Characters; what is longer was not written by a person."""
CLASSES: Final = 100
"""Whose constructors' arguments are looked for."""

NAME: Final = r"[A-Za-z_]\w*"
NUMBER: Final = r"\d[\d_]*(?:\.\d+|(?:\s*(?:\*\*|\*|<<)\s*\d[\d_]*)*)"
_DEF = re.compile(rf"(?:async\s+)?def\s+({NAME})")
_CLASS = re.compile(rf"class\s+({NAME})")
_GIVEN = re.compile(
    rf"(?<![\w.])(?:self\.|cls\.)?({NAME})[ \t]*(?::[^=,()\n]+)?=(?!=)[ \t]*({NUMBER})(?=[ \t]*(?:[,)#;]|$))",
    re.MULTILINE,
)
_HANDED_ON = re.compile(
    rf"(?:self|cls)\.({NAME})[ \t]*(?::[^=\n]+)?=(?!=)[ \t]*({NAME})[ \t]*(?:#|$)", re.MULTILINE
)
_BY_ENVIRONMENT = re.compile(
    rf"(?<![\w.])({NAME})[ \t]*=[ \t]*(?:int|float)\(\s*(?:os\.)?(?:environ\.get|getenv)\("
    rf"[^,()]+,\s*[\"']?({NUMBER})[\"']?\s*\)"
)
_OF_MODULE = re.compile(rf"^({NAME})[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
# Within a line: over lines, a long list of names would be looked through once from each of them.
_SEVERAL = re.compile(rf"^[ \t]*((?:{NAME}[ \t]*,[ \t]*)+{NAME})[ \t]*=[ \t]*([^=\n][^\n]*)$", re.MULTILINE)
_CONSTRUCTOR = re.compile(r"def\s+__init__\(\s*self\s*,([^()]*)\)")
_CHANGE = re.compile(rf"(?<![\w.])({NAME}(?:\.{NAME})?)\s*[+-]=\s*(.+)")
_CALL = re.compile(rf"(?<![\w.])(?:self\.|cls\.)?({NAME})\(")


class Line(NamedTuple):
    number: int
    indent: int
    text: str


class Code:
    """One file."""

    def __init__(self, source: str) -> None:
        self.lines = [
            Line(number, len(text) - len(stripped), stripped)
            for number, text in enumerate(source.splitlines(), 1)
            if len(text) <= LONGEST_LINE and (stripped := text.lstrip()) and not stripped.startswith("#")
        ]
        self.source = "\n".join(" " * line.indent + line.text for line in self.lines)
        self.of_module = frozenset(_OF_MODULE.findall(self.source))
        """Its variables that are none of a function, which no census can name."""
        self.changes: dict[str, list[str]] = {}
        """What is added to and taken from a number: `self.size += len(page)`."""
        for line in self.lines:
            for name, by in _CHANGE.findall(line.text):
                self.changes.setdefault(name, []).append(by)
        heads = ((place, _DEF.match(line.text)) for place, line in enumerate(self.lines))
        named = [(place, found[1]) for place, found in heads if found is not None]
        self.functions = [place for place, _ in named]
        """Places of their heads."""
        self._functions = {name: place for place, name in named}
        self._numbers: dict[str, float] = {}
        self._find_numbers()

    def value(self, word: str) -> float:
        """Of a number, or of a name that the file gives one; of several the largest, which is the least that may be
        relied on. 0 where it does not tell."""
        return number(word) if word[0].isdigit() else self._numbers.get(word.rpartition(".")[2], 0)

    def block(self, head: int) -> Iterator[str]:
        """What follows the colon of a line, and the deeper lines after it."""
        first = self.lines[head]
        yield first.text.rpartition(":")[2]
        for line in self.lines[head + 1 : head + 1 + BODY_LINES]:
            if line.indent <= first.indent:
                return
            yield line.text

    def led_to(self, head: int) -> list[str]:
        """A line's block, and those of the functions that it calls."""
        own = list(self.block(head))
        called = {name for text in own for name in _CALL.findall(text)} & set(self._functions)
        return own + [text for name in sorted(called) for text in self.block(self._functions[name])]

    def class_around(self, place: int) -> str:
        """The innermost class that a line stands in."""
        indent = self.lines[place].indent
        for before in range(place - 1, -1, -1):
            line = self.lines[before]
            if line.indent < indent:
                indent = line.indent
                found = _CLASS.match(line.text)
                if found:
                    return found[1]
            if indent == 0:
                break
        return ""

    def _find_numbers(self) -> None:
        alone = _SEVERAL.sub("", self.source)
        for name, text in _GIVEN.findall(alone) + _BY_ENVIRONMENT.findall(alone):
            self._note(name, number(text))
        for names, values in _SEVERAL.findall(self.source):
            for name, text in zip(names.split(","), values.split(","), strict=False):
                if re.fullmatch(NUMBER, text.strip()):
                    self._note(name.strip(), number(text.strip()))
        classes = {
            found[1]: place
            for place, line in enumerate(self.lines)
            if (found := _CLASS.match(line.text)) is not None
        }
        for name, place in list(classes.items())[:CLASSES]:
            self._note_arguments(name, place)
        for name, other in _HANDED_ON.findall(self.source):
            self._note(name, self._numbers.get(other, 0))

    def _note(self, name: str, value: float) -> None:
        if value:
            self._numbers[name] = max(self._numbers.get(name, 0), value)

    def _note_arguments(self, owner: str, head: int) -> None:
        """Of `Ring(5000)`: what its constructor calls the first argument is 5000."""
        taken = _CONSTRUCTOR.search("\n".join(self.block(head)))
        if taken is None:
            return
        names = [part.partition("=")[0].partition(":")[0].strip() for part in taken[1].split(",")]
        for call in re.finditer(rf"{owner}\(([^()]*)\)", self.source):
            if re.match(r"[\w.]", self.source[call.start() - 1 : call.start()]):
                continue
            for name, word in zip(names, call[1].split(","), strict=False):
                if re.fullmatch(rf"\s*(?:{NUMBER}|{NAME})\s*", word):
                    self._note(name, self.value(word.strip()))


def number(text: str) -> float:
    """`64 * 1024`, `1 << 20`, `10_000`, `10**6`, `2.5`; what could take long to compute counts as unknown (0)."""
    first, *rest = re.split(r"\s*(\*\*|\*|<<)\s*", text.replace("_", ""))
    if any(len(part) > 18 for part in (first, *rest)):
        return 0
    if "." in first:
        return float(first)
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
