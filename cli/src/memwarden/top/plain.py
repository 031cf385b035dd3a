"""`memwarden top` without a live terminal: one picture, or a line each second."""

import shutil
import time
from typing import Final, TextIO

from memwarden.errors import Failed
from memwarden.quantities import short_size
from memwarden.top import lines
from memwarden.top.picture import Picture, to_json
from memwarden.top.targets import Target
from memwarden.top.watcher import EVERY_SECONDS, Watcher
from memwarden.top.words import clean, command, limit, rate, spans

_PROCESSES: Final = 40
_SITES: Final = 15
_LEAST_WIDTH: Final = 20
_USUAL_WIDTH: Final = 100


def once(target: Target, out: TextIO, *, as_json: bool) -> int:
    """One picture. Raises Failed when there is nothing to show."""
    picture = Watcher(target).look()
    if picture.state in ("unreachable", "ended"):
        raise Failed(clean(picture.notice.removesuffix(" Trying again.").rstrip(".")))
    if as_json:
        out.write(f"{to_json(picture)}\n")
    else:
        width = max(_LEAST_WIDTH, shutil.get_terminal_size((_USUAL_WIDTH, 24)).columns)
        _write(out, "\n".join(page(picture, width)))
    out.flush()
    return 0


def page(picture: Picture, width: int) -> list[str]:
    """The picture as text."""
    shown = [lines.text_of(line) for line in lines.head(picture, width)]
    columns = lines.process_columns(width)
    processes = lines.processes_of(picture, "memory", False, "", ended=False)
    shown += ["", f"  {lines.text_of(lines.column_heads(columns, 'memory', False))}"]
    shown += [f"  {lines.text_of(lines.process_line(one, columns))}" for one in processes[:_PROCESSES]]
    if len(processes) > _PROCESSES:
        shown.append(f"  … and {len(processes) - _PROCESSES} more; --json has all")
    if not processes:
        shown.append("  No process was seen yet.")
    site_columns = lines.site_columns(width, with_pid=True)
    sites = lines.sites_of(picture, None, "growth", False, "")
    if sites:
        shown += ["", f"  {lines.text_of(lines.column_heads(site_columns, 'growth', False))}"]
        shown += [f"  {lines.text_of(lines.site_line(one, site_columns))}" for one in sites[:_SITES]]
    return [one.rstrip() for one in shown]


def follow(target: Target, out: TextIO) -> int:
    """A line each second until the run ends, or the reader goes."""
    watcher = Watcher(target)
    told = ""
    while True:
        picture = watcher.look()
        if picture.state != "unreachable" or picture.notice != told:
            _write(out, line(picture))
            out.flush()
        told = picture.notice
        if picture.state == "ended":
            return 0
        time.sleep(EVERY_SECONDS)


def line(picture: Picture) -> str:
    """`14:03:10  Leaking  77 MB of 512 MiB  +31 MB/min  limit in 14–17 min  3 processes, the largest: …`."""
    at = time.strftime("%H:%M:%S", time.localtime(picture.at))
    if picture.state in ("ended", "unreachable"):
        return f"{time.strftime('%H:%M:%S')}  {clean(picture.notice)}"
    parts = [at, picture.verdict or "not judged yet"]
    if picture.memory_bytes is not None:
        bound = f" of {limit(picture.limit.bytes)}" if picture.limit else ""
        parts.append(f"{short_size(picture.memory_bytes)}{bound}")
    if picture.growth_bytes_per_second:
        parts.append(rate(picture.growth_bytes_per_second))
    if picture.forecast_seconds is not None:
        parts.append(f"limit in {spans(picture.forecast_seconds.p10, picture.forecast_seconds.p90)}")
    living = lines.processes_of(picture, "memory", False, "", ended=False)
    if living:
        first = living[0]
        name = f"{first.pid} {command(first.command)[:40]} {short_size(first.memory_bytes or 0)}"
        parts.append(f"{len(living)} process{'' if len(living) == 1 else 'es'}, the largest: {name}")
    if picture.notice:
        parts.append(clean(picture.notice))
    return "  ".join(parts)


def _write(out: TextIO, text: str) -> None:
    """What the encoding of the stream doesn't have becomes a question mark."""
    encoding = out.encoding or "utf-8"
    out.write(f"{text}\n".encode(encoding, "replace").decode(encoding))
