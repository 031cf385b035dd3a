"""`memwarden report`: a report of what was recorded, in any format, as often as one likes."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from memwarden import voice
from memwarden.commands.conditions import add_conditions
from memwarden.commands.origin import MOMENTS, ONE_RUN, add_origin, add_selection, origin, selection, source
from memwarden.commands.sensitivity import add_sensitivity, judge_settings
from memwarden.errors import Usage

if TYPE_CHECKING:
    from memwarden.report.difference import Compared
    from memwarden.report.selection import Selected

_OF_TWO_RUNS: Final = ("html", "md", "json")


class Report:
    name = "report"
    summary = "make a report of a kept run, of a part of it, or of the difference of two"
    examples = f"""\
examples:
  memwarden report run.mwrec --output report.html
  memwarden report run.mwrec --from 2m --to 8m --pid 4711 --output part.html --output part.json
  memwarden report fixed.mwrec --against leaking.mwrec --output difference.html
  memwarden report run.mwrec --fail-on leak --max-growth 1MiB/min --output leak.sarif
  memwarden report --database-url postgresql://me@db/memwarden --list
  memwarden report --database-url postgresql://me@db/memwarden --scope shop --from=-30m --output shop.html

{MOMENTS}
Without --output the report goes to the standard output, as Markdown if --format says nothing else.
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add_origin(parser)
        add("--list", action="store_true", help="list what the database holds, and do nothing else")
        add_selection(parser)
        add("--against", metavar="OTHER", help="the run before: a kept file, or a scope of the same database")
        add_sensitivity(parser)
        add_conditions(parser, "the report could be made")
        add("--output", "-o", metavar="FILE", type=Path, action="append", default=[], help="may be repeated")
        add("--format", choices=_formats(), help="default: what the suffix of --output says")
        add("--verbose", action="store_true", help="show where an unexpected failure was")

    def run(self, arguments: argparse.Namespace) -> int:
        file, url = origin(arguments)
        if arguments.list:
            return _list(url)
        settings = judge_settings(arguments)
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
        read = source(file, url, arguments.scope)
        chosen = select(read, selection(arguments), settings)
        report, because = answered(chosen.report, fail_on)
        chosen = replace(chosen, report=report)
        if arguments.against is None:
            _write(targets, lambda format_: _plain(chosen, format_))
        else:
            other = source(None if url else Path(arguments.against), url, arguments.against)
            compared = compare(select(other, Selection(), settings), chosen, other.name, read.name)
            _write(targets, lambda format_: _compared(compared, chosen, format_))
        if because:
            voice.say(f"exit code {report.exit_code}: {because}")
        return report.exit_code


def _formats() -> tuple[str, ...]:
    """What the formats are called: their suffixes."""
    from memwarden.report.formats import FORMATS

    return tuple(format_.suffix.removeprefix(".") for format_ in FORMATS)


def _list(url: str | None) -> int:
    from memwarden.report.html.markup import shown
    from memwarden.report.sources import list_scopes

    if url is None:
        raise Usage(ONE_RUN)
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
