"""Bounds that a program keeps to in its code: `if len(SEEN) > 4000: SEEN.popitem()`, read out of its source.

What a person looks for beside a dict that grows: how many entries it may have, how many bytes, or how old they may
become. A bound counts only where the container is taken from, begun anew, or not added to, by what the comparison leads
to, and where its number stands in the same file: a constant, the default of a parameter, an argument. What is written
in another way is not found; then nothing is known.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from enum import Enum
from typing import Final, NamedTuple

from memwarden_sidecar.sources.code_text import NAME, NUMBER, Code


class Unit(Enum):
    """What a bound counts."""

    ENTRIES = "entries"
    BYTES = "bytes"
    SECONDS = "seconds"


class CodeBound(NamedTuple):
    """A container that gives up entries when it has more than `most`, as line `line` says."""

    owner: str
    """The class whose attribute it is; "" for a variable of the module."""
    name: str
    unit: Unit
    most: float
    line: int


_PLACE: Final = rf"{NAME}(?:\.{NAME})?"
_WORD: Final = rf"{NAME}(?:\.{NAME})*|{NUMBER}"
_END: Final = r"(?=\s*(?:[:)\]},#]|$|\band\b|\bor\b))"
_GUARD = re.compile(r"(?:if|elif|while)\b")
_OVER = re.compile(rf"\blen\(\s*({_PLACE})\s*\)\s*>=?\s*({_WORD}){_END}")
_UNDER = re.compile(rf"({_WORD})\s*<=?\s*len\(\s*({_PLACE})\s*\)")
_ROOM = re.compile(rf"\blen\(\s*({_PLACE})\s*\)\s*<\s*({_WORD}){_END}")
_COUNTED = re.compile(rf"(?<![\w.(])({_PLACE})\s*>=?\s*({_WORD}){_END}")
_SUMMED = re.compile(rf"\bsum\(.*\)\s*>=?\s*({_WORD}){_END}")
_TRIMMED = re.compile(
    rf"\bdel\s+({_PLACE})\[\s*:\s*-\s*({_WORD})\s*\]|\bdel\s+({_PLACE})\[\s*({_WORD})\s*:\s*\]"
    rf"|(?<![\w.])({_PLACE})(?:\[:\])?\s*=\s*\5\[\s*-\s*({_WORD})\s*:\s*\]"
)
_ROUND = re.compile(rf"(?<![\w.])({_PLACE})\[[^\]]*%\s*({_WORD})\s*\]\s*=(?!=)")
_CLOCK: Final = r"(?:now|time|monotonic|clock|perf_counter|moment|today)"
_TELLS_TIME = re.compile(rf"\b{_CLOCK}\b|seconds|SECONDS|ttl|TTL")
_AGE = re.compile(rf"-\s*[\w.\[\]\"']+(?:\(\))?\s*[<>]=?\s*({_WORD}){_END}")
_AGO = re.compile(rf"[<>]=?\s*[\w.\[\]\"']+(?:\(\))?\s*-\s*({_WORD}){_END}")
_SINCE = re.compile(rf"=\s*(?:\w+\.)*{_CLOCK}(?:\(\))?\s*-\s*({_WORD}){_END}")
_UNTIL = re.compile(rf"\b{_CLOCK}(?:\(\))?\s*\+\s*({_WORD}){_END}")
_OUT: Final = (
    rf"(?<![\w.])({_PLACE})\.(?:popitem|popleft|pop|clear|remove|discard|expire|evict)\("
    rf"|\bdel\s+({_PLACE})\b|\bheappop\(\s*({_PLACE})\s*[,)]"
)
_TAKEN_OUT = re.compile(_OUT)
_TAKEN = re.compile(rf"{_OUT}|(?<![\w.])({_PLACE})\s*(?::[^=]+)?=(?!=)")
_KEPT = re.compile(rf"(?<![\w.])({_PLACE})\s*=\s*[\[{{(].*\bfor\b.*\bin\s+(?:list\(|sorted\()?\1\b.*\bif\b")


def code_bounds(source: str) -> list[CodeBound]:
    """All that this file tells: bounds of entries first, then of bytes, then of ages; the largest of each first."""
    code = Code(source)
    found = set()
    for place in range(len(code.lines)):
        for container, unit, word in _of_line(code, place):
            found |= _bound(code, place, container, unit, word)
    given_up = _parts(_TAKEN_OUT, [line.text for line in code.lines])
    for place in code.functions:
        for container, word in _of_ages(code, place, given_up):
            found |= _bound(code, place, container, Unit.SECONDS, word)
    order = list(Unit)
    return sorted(found, key=lambda bound: (order.index(bound.unit), -bound.most, bound.line, bound.name))


def bound_of(name: str, bounds: Sequence[CodeBound]) -> CodeBound | None:
    """The bound of what a census calls `name`: module.VARIABLE or module.Class.attribute."""
    before, _, attribute = name.rpartition(".")
    owner = before.rpartition(".")[2]
    for bound in bounds:
        if bound.name == attribute and bound.owner in ("", owner):
            return bound
    return None


def _bound(code: Code, place: int, container: str, unit: Unit, word: str) -> set[CodeBound]:
    """One or none: where the file tells its number, and a census can name its container."""
    most = code.value(word)
    owner, _, name = container.rpartition(".")
    if owner in ("self", "cls"):
        owner = code.class_around(place)
    elif owner or name not in code.of_module:
        return set()
    return {CodeBound(owner, name, unit, most, code.lines[place].number)} if most else set()


def _of_line(code: Code, place: int) -> Iterator[tuple[str, Unit, str]]:
    """(container, unit, number or its name) of what one line keeps to a length or a size."""
    text = code.lines[place].text
    for found in (*_TRIMMED.finditer(text), *_ROUND.finditer(text)):
        container, word = (part for part in found.groups() if part)
        yield container, Unit.ENTRIES, word
    if not _GUARD.match(text):
        return
    led_to = code.led_to(place)
    taken = _parts(_TAKEN, led_to)
    compared = [(container, word) for container, word in _OVER.findall(text)]
    compared += [(container, word) for word, container in _UNDER.findall(text)]
    yield from ((container, Unit.ENTRIES, word) for container, word in compared if container in taken)
    for container, word in _ROOM.findall(text):
        if _is_added_to(container, led_to):
            yield container, Unit.ENTRIES, word
    for word, unit in _of_a_count(text, code.changes):
        yield from ((container, unit, word) for container in sorted(taken))


def _of_a_count(text: str, changes: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Unit]]:
    """Bounds of a number beside a container: what is taken from because of it has them."""
    for word in _SUMMED.findall(text):
        yield word, Unit.BYTES
    for counter, word in _COUNTED.findall(text):
        by = changes.get(counter, ())
        if any(re.search(r"\blen\(|nbytes|getsizeof|size\b", change) for change in by):
            yield word, Unit.BYTES
        elif any(re.match(r"1\b", change) for change in by):
            yield word, Unit.ENTRIES


def _of_ages(code: Code, head: int, given_up: Set[str]) -> Iterator[tuple[str, str]]:
    """(container, number or its name) of what a function keeps to an age: it compares ages, and takes out; or it notes
    until when an entry may stay in one of those that are taken from somewhere (`given_up`)."""
    texts = [code.lines[head].text, *code.block(head)]
    if not any(_TELLS_TIME.search(text) for text in texts):
        return
    for text in texts:
        for word in _AGE.findall(text) + _AGO.findall(text) + _SINCE.findall(text):
            yield from ((container, word) for container in sorted(_parts(_TAKEN_OUT, texts)))
            if kept := _KEPT.search(text):
                yield kept[1], word
        for word in _UNTIL.findall(text):
            yield from ((container, word) for container in sorted(given_up) if _is_added_to(container, texts))


def _parts(pattern: re.Pattern[str], texts: Sequence[str]) -> set[str]:
    """What something is taken out of, or begun anew."""
    return {part for text in texts for found in pattern.finditer(text) for part in found.groups() if part}


def _is_added_to(container: str, texts: Sequence[str]) -> bool:
    known = re.escape(container)
    adds = re.compile(
        rf"(?<![\w.]){known}(?:\.(?:append|appendleft|add|insert|setdefault|update|put)\(|\[[^\]]+\]\s*=(?!=))"
        rf"|\bheappush\(\s*{known}\b"
    )
    return any(adds.search(text) for text in texts)
