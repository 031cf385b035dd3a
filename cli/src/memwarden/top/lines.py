"""A picture as lines of a given width. A line is pieces of text, each with the name of a style; how styles look is
the business of whoever draws them, and no meaning is in a style alone.

Columns go one after the other as the width shrinks: at 20 cells memory and command are left.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from memwarden.quantities import clock
from memwarden.top.picture import Picture, Process, Site
from memwarden.top.words import (
    MARKS,
    NOTHING,
    bar,
    cells,
    clean,
    command,
    fit,
    growth,
    limit,
    rate,
    right,
    size,
    spans,
    sparkline,
)

Style = Literal["", "title", "dim", "strong", "growing", "notice", "verdict"]
Piece = tuple[str, Style]
Line = tuple[Piece, ...]

ProcessSort = Literal["memory", "growth", "pid", "name"]
SiteSort = Literal["memory", "growth", "name"]

_GAP: Final = " "
_HEADLINE_LINES: Final = 3


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in cells; the name of its order, if it can be ordered by."""

    title: str
    width: int
    sort: str = ""
    numeric: bool = True


# ── The head ─────────────────────────────────────────────────────────────────────────────────────────────


def head(picture: Picture, width: int, roomy: bool = True) -> list[Line]:
    """Title, verdict, numbers, and the notice if there is one. Not `roomy`: one line for the verdict."""
    lines = [_title(picture, width), *_verdict(picture, width, _HEADLINE_LINES if roomy else 1)]
    lines += _numbers(picture, width)
    if picture.notice:
        wrapped = textwrap.wrap(f"■ {clean(picture.notice)}", max(8, width - 2)) or [""]
        lines += [((fit(f" {one}", width), "notice"),) for one in wrapped[: 4 if roomy else 2]]
    return lines


def _title(picture: Picture, width: int) -> Line:
    where = f"run {picture.run_pid}" if picture.run_pid is not None else clean(picture.scope)
    watched = clock(picture.watched_seconds) if picture.watched_seconds is not None else ""
    end = f"{where}  {watched}".rstrip() if width >= 50 else watched
    end = fit(end, width // 2, pad=False)
    name = "memwarden top" if width >= 40 else "top"
    room = width - cells(end) - cells(name) - 4
    told = fit(command(picture.command), max(0, room))
    return ((f" {name}", "title"), (f" {told} ", ""), (f"{end} ", "dim"))


def _verdict(picture: Picture, width: int, most: int) -> list[Line]:
    mark, word = MARKS.get(picture.verdict or "", ("…", "NOT JUDGED YET"))
    badge = f" {mark} {word} "
    headline = clean(picture.headline)
    if picture.verdict is None:
        headline = "the first verdict comes some seconds after the start"
    elif headline.startswith((f"{word}: ", f"{word}, ")):  # the badge has said it
        headline = headline[len(word) + 2 :]
    if cells(badge) + 12 > width:
        return [((fit(badge, width), "verdict"),)]
    room = width - cells(badge) - 3
    wrapped = textwrap.wrap(headline, room, max_lines=most, placeholder=" …") or [""]
    first: Line = ((" ", ""), (badge, "verdict"), (f" {fit(wrapped[0], room)}", "strong"))
    rest: list[Line] = [((f"{' ' * (cells(badge) + 2)}{fit(one, room)}", "strong"),) for one in wrapped[1:]]
    return [first, *rest]


def _numbers(picture: Picture, width: int) -> list[Line]:
    """Memory, limit, growth, forecast: side by side where they fit, else below each other; the bar only where it
    costs no line.
    """
    with_bar, without = _numbers_in(picture, width, 10), _numbers_in(picture, width, 0)
    return with_bar if len(with_bar) == 1 else without


def _numbers_in(picture: Picture, width: int, bar_width: int) -> list[Line]:
    name = "Memory " if width >= 40 else ""
    memory = f"{name}{size(picture.memory_bytes)}"
    if picture.limit is not None:
        share = (picture.memory_bytes or 0) / max(1, picture.limit.bytes)
        drawn = f" {bar(share, bar_width)}" if bar_width else ""
        memory += f" of {limit(picture.limit.bytes)}"
        if width >= 40:
            memory += f"{_source(picture)}{drawn} {100 * share:.0f} %"
    parts: list[Piece] = [
        (memory, ""),
        (f"Growth {_growth(picture)}", "growing" if (picture.growth_bytes_per_second or 0) > 0 else ""),
        (_forecast(picture), ""),
    ]
    gap = "   "
    lines: list[Line] = []
    current: Line = ()
    for text, style in parts:
        used = sum(cells(one) for one, _ in current)
        if current and used + cells(gap) + cells(text) > width - 1:
            lines.append(current)
            current = ()
        lead = gap if current else " "
        current = (*current, (lead, ""), (fit(text, max(1, width - 2), pad=False), style))
    return [*lines, current]


def _source(picture: Picture) -> str:
    return " free here" if picture.limit is not None and picture.limit.source == "available" else ""


def _growth(picture: Picture) -> str:
    if picture.growth_bytes_per_second is not None:
        return rate(picture.growth_bytes_per_second)
    return "not known yet" if picture.verdict in (None, "WarmingUp", "Unknown") else "none"


def _forecast(picture: Picture) -> str:
    if picture.limit is None:
        return "No limit known"
    if picture.forecast_seconds is None:
        young = picture.verdict in (None, "WarmingUp", "Unknown")
        return "No forecast yet" if young else "Limit not in sight"
    if picture.forecast_seconds.p90 < 1:
        return "Limit reached now"
    return f"Limit in {spans(picture.forecast_seconds.p10, picture.forecast_seconds.p90)}"


# ── Processes ────────────────────────────────────────────────────────────────────────────────────────────


def processes_of(
    picture: Picture, sort: ProcessSort, reverse: bool, pattern: str, ended: bool
) -> list[Process]:
    """Those to show, in order. `pattern` is looked for in command and pid, whatever the case."""
    wanted = pattern.casefold()
    found = [
        one
        for one in picture.processes
        if (one.alive or ended) and (not wanted or wanted in f"{one.pid} {clean(one.command)}".casefold())
    ]
    orders = {
        "memory": lambda one: (-(one.memory_bytes or 0), one.pid),
        "growth": lambda one: (-_or_least(one.growth_bytes_per_second), one.pid),
        "pid": lambda one: (one.pid, 0),
        "name": lambda one: (command(one.command).casefold(), one.pid),
    }
    found.sort(key=orders[sort], reverse=reverse)
    found.sort(key=lambda one: not one.alive)
    return found


def _or_least(value: float | None) -> float:
    return float("-inf") if value is None else value


def process_columns(width: int) -> list[Column]:
    columns = [Column("PID", 7, "pid"), Column("MEMORY", 7, "memory")]
    if width >= 34:
        columns.append(Column("GROWTH", 11, "growth"))
    if width >= 60:
        columns.append(
            Column("LAST 5 MIN", 30 if width >= 130 else 20 if width >= 100 else 12, numeric=False)
        )
    if width >= 72:
        columns.append(Column("WATCHED", 9, numeric=False))
    if width < 28:
        columns = columns[1:]
    return [*columns, Column("COMMAND", _rest(columns, width), "name", numeric=False)]


def _rest(columns: Sequence[Column], width: int) -> int:
    """What is left of `width` behind `columns`; two cells in front are the cursor's."""
    return max(1, width - 3 - sum(column.width + 1 for column in columns))


def process_line(process: Process, columns: Sequence[Column]) -> Line:
    seconds = process.history[-1][0] - process.history[0][0] if process.history else 0.0
    told = growth(process.growth_bytes_per_second, process.memory_bytes, seconds)
    rising = told.startswith("+")
    base: Style = "" if process.alive else "dim"
    cells_of: dict[str, Piece] = {
        "PID": (str(process.pid), base),
        "MEMORY": (size(process.memory_bytes), base),
        "GROWTH": ("ended" if not process.alive else told, "growing" if rising and process.alive else base),
        "COMMAND": (_command(process, next(one.width for one in columns if one.title == "COMMAND")), base),
        "WATCHED": (watched(process), base),
    }
    pieces: list[Piece] = []
    for column in columns:
        if column.title == "LAST 5 MIN":
            pieces.append((sparkline([value for _, value in process.history], column.width) + _GAP, base))
        else:
            text, style = cells_of[column.title]
            laid = right(text, column.width) if column.numeric else fit(text, column.width)
            pieces.append((laid + _GAP, style))
    return tuple(pieces)


def _command(process: Process, width: int) -> str:
    """The command line; where it is too long, its paths by their last part, which tells most."""
    told = command(process.command)
    if cells(told) <= width:
        return told
    return " ".join(
        f"…/{word.rpartition('/')[2]}" if word.startswith("/") and word.count("/") > 1 else word
        for word in told.split(" ")
    )


def watched(process: Process) -> str:
    if process.probe == "hooked":
        return "● inside"
    return "○ outside" if process.probe else NOTHING


# ── Sites ────────────────────────────────────────────────────────────────────────────────────────────────


def sites_of(picture: Picture, pid: int | None, sort: SiteSort, reverse: bool, pattern: str) -> list[Site]:
    """The sites of a process (None: of all), in order; sites that hold nothing are left out."""
    wanted = pattern.casefold()
    found = [one for one in picture.sites if pid in (None, one.pid) and one.live_bytes > 0]
    named = [one for one in found if wanted in clean(f"{one.file}:{one.line} {one.function}").casefold()]
    orders = {
        "memory": lambda one: (-one.live_bytes, one.file, one.line),
        "growth": lambda one: (-one.growth_bytes_per_second, one.file, one.line),
        "name": lambda one: (one.file, one.line, one.function),
    }
    return sorted(named, key=orders[sort], reverse=reverse)


def site_columns(width: int, with_pid: bool = False) -> list[Column]:
    columns = [Column("PID", 7)] if with_pid and width >= 50 else []
    columns.append(Column("LIVE", 7, "memory"))
    if width >= 34:
        columns.append(Column("GROWTH", 11, "growth"))
    rest = _rest(columns, width)
    if width < 56:
        return [*columns, Column("PLACE", rest, "name", numeric=False)]
    place = min(64, max(24, rest * 3 // 5))
    return [
        *columns,
        Column("PLACE", place, "name", numeric=False),
        Column("FUNCTION", rest - place - 1, numeric=False),
    ]


def site_line(site: Site, columns: Sequence[Column]) -> Line:
    rising = site.growth_bytes_per_second > 0
    cells_of: dict[str, Piece] = {
        "PID": (str(site.pid), ""),
        "LIVE": (size(site.live_bytes), ""),
        "GROWTH": (rate(site.growth_bytes_per_second) if site.growth_bytes_per_second else "steady",
                   "growing" if rising else ""),
        "PLACE": (_place(site, next(one.width for one in columns if one.title == "PLACE")), ""),
        "FUNCTION": (clean(site.function), "dim"),
    }  # fmt: skip
    pieces: list[Piece] = []
    for column in columns:
        text, style = cells_of[column.title]
        laid = right(text, column.width) if column.numeric else fit(text, column.width)
        pieces.append((laid + _GAP, style))
    return tuple(pieces)


def _place(site: Site, width: int) -> str:
    """`file:line` with what tells most: the end of the path, and the line always."""
    file, line = clean(site.file), f":{site.line}"
    room = max(1, width - cells(line))
    if cells(file) > room:
        name = file.rpartition("/")[2]
        file = fit(file, room, "end", pad=False) if cells(name) < room else fit(name, room, pad=False)
    return f"{file}{line}"


def no_sites(process: Process | None, filtered: bool) -> str:
    """Why there is no site to show, and what to do."""
    if process is None:
        return "Choose a process to see where it allocates."
    if filtered:
        return "No site matches the filter; Esc clears it."
    if process.probe == "hooked":
        return "Nothing sampled lives here yet. A finer look: memwarden run --sampling 64KiB."
    reason = clean(process.probe_reason) or "too young to say"
    return f"No sites: this process is watched from outside only ({reason})."


# ── Headings ─────────────────────────────────────────────────────────────────────────────────────────────


def column_heads(columns: Sequence[Column], sort: str, reverse: bool) -> Line:
    """The titles; an arrow is at the one that orders."""
    pieces: list[Piece] = []
    for column in columns:
        chosen = bool(column.sort) and column.sort == sort
        title = f"{column.title}{'▴' if reverse else '▾'}" if chosen else column.title
        laid = right(title, column.width) if column.numeric else fit(title, column.width)
        pieces.append((laid + _GAP, "strong" if chosen else "dim"))
    return tuple(pieces)
