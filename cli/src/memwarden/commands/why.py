"""`memwarden why`: every check behind a verdict, with its numbers, and the one that decided."""

import argparse
import shutil
import sys

from memwarden.commands.origin import MOMENTS, add_origin, add_selection, origin, selection, source
from memwarden.commands.sensitivity import add_sensitivity, judge_settings


class Why:
    name = "why"
    summary = "say why a run was judged as it was: each check with its numbers"
    examples = f"""\
examples:
  memwarden why run.mwrec
  memwarden why run.mwrec --to 90s
  memwarden why run.mwrec --sensitivity high
  memwarden why --database-url postgresql://me@db/memwarden --scope shop --json

{MOMENTS}
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add_origin(parser)
        add_selection(parser)
        add_sensitivity(parser)
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument("--verbose", action="store_true", help="show where an unexpected failure was")

    def run(self, arguments: argparse.Namespace) -> int:
        from memwarden.report import why
        from memwarden.report.selection import judged_selection

        file, url = origin(arguments)
        settings = judge_settings(arguments)
        verdict = judged_selection(source(file, url, arguments.scope), selection(arguments), settings)
        if arguments.json:
            print(why.as_json(verdict), flush=True)
            return 0
        width = shutil.get_terminal_size().columns
        colour = sys.stdout.isatty()
        for line in why.lines(verdict, width, colour):
            print(line)
        sys.stdout.flush()
        return 0
