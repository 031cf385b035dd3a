"""`memwarden top`: a run or a collector, live in the terminal."""

import argparse
import os
import sys

from memwarden.errors import Usage


class Top:
    name = "top"
    summary = "look at a run while it goes on: processes, memory, growth, allocation sites"
    examples = """\
examples:
  memwarden top
  memwarden top --pid 4711
  memwarden top --once --json | jq .verdict
  MEMWARDEN_TOKEN=… memwarden top --collector http://127.0.0.1:4318 --scope shop

In a terminal: ? shows the keys, q quits. In a pipe or a dumb terminal: one line each second.
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--pid", type=int, help="the run that this process belongs to: its own id, or any below it")
        add("--collector", metavar="URL", help="look at a collector (its token by $MEMWARDEN_TOKEN)")
        add("--scope", metavar="NAME", help="which run or container of the collector")
        add("--once", action="store_true", help="print one picture and end")
        add("--json", action="store_true", help="with --once: as JSON")
        add("--plain", action="store_true", help="one line each second, also in a terminal")
        add("--verbose", action="store_true", help="show where an unexpected failure was")

    def run(self, arguments: argparse.Namespace) -> int:
        from memwarden.top import plain, targets
        from memwarden_api.names import ENV_TOKEN

        if arguments.json and not arguments.once:
            raise Usage("--json belongs to --once: memwarden top --once --json")
        if arguments.once and arguments.plain:
            raise Usage("--plain goes on each second, --once ends after one picture; give one of them")
        origin = targets.origin(
            arguments.pid, arguments.collector, arguments.scope, os.environ.get(ENV_TOKEN, "")
        )
        if arguments.once:
            return plain.once(targets.the_only(origin), sys.stdout, as_json=arguments.json)
        if arguments.plain or not _is_live_terminal():
            return plain.follow(targets.the_only(origin), sys.stdout)
        try:
            from memwarden.top.app import TopApp
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("textual", "rich"):
                raise
            raise Usage(
                "the live view needs Textual, which is not installed: pip install textual; "
                "memwarden top --plain works without it"
            ) from error
        return TopApp(origin, chosen_pid=arguments.pid).run() or 0


def _is_live_terminal() -> bool:
    """Whether keys can be read and pictures be drawn. Textual draws on standard error."""
    try:
        terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    except ValueError:  # a stream is closed
        return False
    return terminal and os.environ.get("TERM", "dumb") not in ("dumb", "")
