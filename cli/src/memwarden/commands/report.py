"""`memwarden report`: a report of what was recorded, in any format, as often as one likes."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from memwarden import voice
from memwarden.commands.conditions import add_conditions
from memwarden.errors import Usage

if TYPE_CHECKING:
    from memwarden.report.difference import Compared
    from memwarden.report.selection import Selected
    from memwarden.report.sources import Source

_OF_TWO_RUNS: Final = ("html", "md", "json")
_ENV_DATABASE_URL: Final = "MEMWARDEN_DATABASE_URL"


class Report:
    name = "report"
    summary = "make a report of a kept run, of a part of it, or of the difference of two"
    examples = """\
examples:
  memwarden report run.mwrec --output report.html
  memwarden report run.mwrec --from 2m --to 8m --pid 4711 --output part.html --output part.json
  memwarden report fixed.mwrec --against leaking.mwrec --output difference.html
  memwarden report run.mwrec --fail-on leak --max-growth 1MiB/min --output leak.sarif
  memwarden report --database-url postgresql://me@db/memwarden --list
  memwarden report --database-url postgresql://me@db/memwarden --scope shop --from=-30m --output shop.html

A moment is RFC 3339 (2026-11-21T12:00:00Z), counted from the start (5m), or from the end (--from=-5m).
Without --output the report goes to the standard output, as Markdown if --format says nothing else.
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("file", metavar="FILE", nargs="?", type=Path, help="made by memwarden run --keep FILE")
        add("--keep", metavar="FILE", type=Path, help="the same, for those who think of it by this name")
        add("--database-url", metavar="URL", help=f"read this database (else ${_ENV_DATABASE_URL})")
        add(
            "--scope",
            metavar="NAME",
            help="which run or container of the database (default: the one seen last)",
        )
        add("--list", action="store_true", help="list what the database holds, and do nothing else")
        add("--from", dest="begin", metavar="TIME", help="leave out what was before")
        add("--to", dest="end", metavar="TIME", help="leave out what came after")
        add("--pid", type=int, help="judge this process alone")
        add("--against", metavar="OTHER", help="the run before: a kept file, or a scope of the same database")
        add_conditions(parser, "the report could be made")
        add("--output", "-o", metavar="FILE", type=Path, action="append", default=[], help="may be repeated")
        add("--format", choices=_formats(), help="default: what the suffix of --output says")
        add("--verbose", action="store_true", help="show where an unexpected failure was")

    def run(self, arguments: argparse.Namespace) -> int:
        file, url = _origin(arguments)
        if arguments.list:
            return _list(url)
        targets = _targets(arguments.output, arguments.format)
        if arguments.against is not None and (
            unfit := [name for _, name in targets if name not in _OF_TWO_RUNS]
        ):
            raise Usage(
                f"two runs are compared as {', '.join(_OF_TWO_RUNS)}, not as {unfit[0]}; leave out --against"
            )
        from memwarden.report.conditions import answered
        from memwarden.report.difference import compare
        from memwarden.report.selection import Selection, select
        from memwarden.run.conditions import conditions

        fail_on = conditions(tuple(arguments.fail_on), arguments.max_growth)
        source = _source(file, url, arguments.scope)
        chosen = select(source, Selection(arguments.begin, arguments.end, arguments.pid))
        report, because = answered(chosen.report, fail_on)
        chosen = replace(chosen, report=report)
        if arguments.against is None:
            _write(targets, lambda format_: _plain(chosen, format_))
        else:
            other = _source(None if url else Path(arguments.against), url, arguments.against)
            compared = compare(select(other, Selection()), chosen, other.name, source.name)
            _write(targets, lambda format_: _compared(compared, chosen, format_))
        if because:
            voice.say(f"exit code {report.exit_code}: {because}")
        return report.exit_code


def _formats() -> tuple[str, ...]:
    """What the formats are called: their suffixes."""
    from memwarden.report.formats import FORMATS

    return tuple(format_.suffix.removeprefix(".") for format_ in FORMATS)


def _origin(arguments: argparse.Namespace) -> tuple[Path | None, str | None]:
    """The kept file or the database, one of them. Raises Usage."""
    if arguments.file and arguments.keep:
        raise Usage("FILE and --keep name the same thing; give one of them")
    file = arguments.file or arguments.keep
    if file and (arguments.database_url or arguments.scope or arguments.list):
        raise Usage("a kept file has one run in it: --database-url, --scope and --list belong to a database")
    if file:
        return file, None
    url = arguments.database_url or os.environ.get(_ENV_DATABASE_URL)
    if not url:
        raise Usage(
            "nothing to report on: name a file made with memwarden run --keep FILE, or a --database-url"
        )
    return None, url


def _source(file: Path | None, url: str | None, scope: str | None) -> "Source":
    from memwarden.report import sources

    if file is not None:
        return sources.from_file(file)
    assert url is not None
    return sources.from_database(url, scope)


def _list(url: str | None) -> int:
    from memwarden.report.html.markup import shown
    from memwarden.report.sources import list_scopes

    if url is None:
        raise Usage("--list belongs to a database: give --database-url")
    found = list_scopes(url)
    for line in found:
        print(
            f"{line.last_seen:%Y-%m-%d %H:%M:%S}  {shown(line.scope, 80)}  {shown(line.host, 40)}  "
            f"{shown(line.command, 80)}"
        )
    if not found:
        voice.say("the database holds no run yet: watch one with memwarden run --database-url URL -- COMMAND")
    return 0


def _targets(outputs: list[Path], format_: str | None) -> list[tuple[Path | None, str]]:
    """Where the report goes and as what; None is the standard output. Checked before anything is read."""
    from memwarden.run.plan import writable

    if not outputs:
        return [(None, format_ or "md")]
    targets: list[tuple[Path | None, str]] = []
    for output in outputs:
        suffix = output.suffix.lower().removeprefix(".")
        if suffix not in _formats() and format_ is None:
            raise Usage(
                f"--output {output}: the suffix says the format, and {', '.join(_formats())} are known; or use --format"
            )
        targets.append((writable("--output", output), format_ or suffix))
    if len({path for path, _ in targets}) < len(targets):
        raise Usage("--output names the same file twice")
    return targets


def _write(targets: list[tuple[Path | None, str]], text_of: Callable[[str], str]) -> None:
    from memwarden.report.file import write_whole

    texts: dict[str, str] = {}
    for path, format_ in targets:
        if format_ not in texts:
            texts[format_] = text_of(format_)
        if path is None:
            sys.stdout.buffer.write(texts[format_].encode())
            sys.stdout.flush()
        else:
            write_whole(path, texts[format_].encode())
            voice.say(f"written: {path}")


def _plain(chosen: "Selected", format_: str) -> str:
    if format_ == "html":
        from memwarden.report.formats import html

        return html.render(chosen.report, chosen.recording)
    from memwarden.report.formats import FORMATS

    [fitting] = [one for one in FORMATS if one.suffix == f".{format_}"]
    return fitting.render(chosen.report)


def _compared(compared: "Compared", chosen: "Selected", format_: str) -> str:
    if format_ == "json":
        return compared.difference.model_dump_json(indent=2, by_alias=True) + "\n"
    if format_ == "md":
        from memwarden.report import difference_markdown

        return difference_markdown.render(compared.difference)
    from memwarden.report.formats import html
    from memwarden.report.html.difference import difference_parts

    return html.render(chosen.report, chosen.recording, extra=difference_parts(compared))
