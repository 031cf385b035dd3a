"""`memwarden judge FILE`: judge a kept file again."""

import argparse
from pathlib import Path


class Judge:
    name = "judge"
    summary = "judge a file made by memwarden run --keep, and print the report"
    examples = """\
examples:
  memwarden judge run.mwrec
  memwarden judge run.mwrec --json
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help="made by memwarden run --keep FILE")
        parser.add_argument("--json", action="store_true", help="print the report as JSON, not as Markdown")
        parser.add_argument("--verbose", action="store_true", help="show where an unexpected failure was")

    def run(self, arguments: argparse.Namespace) -> int:
        from memwarden.report.formats import FORMATS
        from memwarden.report.kept import report_of

        report = report_of(arguments.file)
        suffix = ".json" if arguments.json else ".md"
        [chosen] = [format_ for format_ in FORMATS if format_.suffix == suffix]
        print(chosen.render(report), end="", flush=True)
        return 0
