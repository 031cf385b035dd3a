"""Caches with their bounds, and the largest containers: what holds many entries, by name."""

from collections.abc import Sequence
from typing import TypeVar

from memwarden.report.html import sections
from memwarden.report.html.markup import Content, Markup, shown, tag
from memwarden_api.report import Cache, Container, Verdict
from memwarden_core.wording import bound_words, percent

_TITLE = "Caches and containers"
_EMPTY = (
    "Nothing that holds many entries was found: neither a cache that says how much it may hold, nor a container of 128 "
    "entries. They are looked for in Python programs (3.9 and later) that are watched from inside, first after some "
    "seconds."
)
_NOTE = (
    "As the program held them when it was last looked through. A cache stops growing at its bound; a container that "
    "only grows is where to look for what is kept."
)
Held = TypeVar("Held", Cache, Container)


def holdings(verdict: Verdict) -> Markup:
    """The section; in place of tables it says why there are none."""
    caches = _ranked([(process.pid, cache) for process in verdict.processes for cache in process.caches])
    containers = _ranked([(process.pid, one) for process in verdict.processes for one in process.containers])
    if not caches and not containers:
        return sections.section("held", _TITLE, sections.empty(_EMPTY))
    several = len({pid for pid, _ in caches} | {pid for pid, _ in containers}) > 1
    content: list[Content] = []
    if caches:
        content += [tag("h3", "Caches"), _caches(caches, several)]
    if containers:
        content += [tag("h3", "Large containers"), _containers(containers, several)]
    return sections.section("held", _TITLE, *content, note=_NOTE)


def _ranked(found: list[tuple[int, Held]]) -> list[tuple[int, Held]]:
    return sorted(found, key=lambda pair: (-pair[1].growth_entries, -pair[1].entries, pair[1].name))


def _caches(rows: Sequence[tuple[int, Cache]], several: bool) -> Markup:
    columns = [("Cache", ""), ("Kind", ""), *_pid_column(several), ("Entries", "num"), ("Bound", "num"),
               ("Full", "num"), ("Hit rate", "num"), ("More entries", "num")]  # fmt: skip
    body = (
        tag(
            "tr",
            tag("td", _cache_name(cache)),
            tag("td", tag("code", shown(cache.kind, 80)), title=shown(cache.kind)),
            _pid(pid, several),
            sections.cell(f"{cache.entries:,}", cache.entries),
            sections.cell(bound_words(cache.bound, cache.bound_bytes, cache.bound_seconds), cache.bound or 0),
            _share(cache.entries / cache.bound if cache.bound else None),
            _share(cache.hit_rate),
            _growth(cache),
        )
        for pid, cache in rows
    )
    return sections.table(columns, body)


def _containers(rows: Sequence[tuple[int, Container]], several: bool) -> Markup:
    columns = [
        ("Container", ""),
        ("Type", ""),
        *_pid_column(several),
        ("Entries", "num"),
        ("More entries", "num"),
    ]
    body = (
        tag(
            "tr",
            tag("td", _name(one.name)),
            tag("td", tag("code", shown(one.type, 80)), title=shown(one.type)),
            _pid(pid, several),
            sections.cell(f"{one.entries:,}", one.entries),
            _growth(one),
        )
        for pid, one in rows
    )
    return sections.table(columns, body)


def _cache_name(cache: Cache) -> Content:
    if not cache.file:
        return _name(cache.name)
    return sections.place(cache.file, cache.line, cache.name)


def _name(name: str) -> Content:
    if not name:
        return tag("span", "held by no variable that was found", class_="note")
    return tag("code", shown(name, 160), title=shown(name))


def _pid_column(several: bool) -> list[tuple[str, str]]:
    return [("PID", "num")] if several else []


def _pid(pid: int, several: bool) -> Markup | None:
    return sections.cell(str(pid), pid) if several else None


def _share(share: float | None) -> Markup:
    return sections.cell("–" if share is None else percent(min(share, 1.0)), -1.0 if share is None else share)


def _growth(one: Cache | Container) -> Markup:
    return sections.cell(f"{one.growth_entries:+,}" if one.growth_entries else "0", one.growth_entries)
