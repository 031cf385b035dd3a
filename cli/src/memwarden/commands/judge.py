"""`memwarden judge FILE`: judge a kept file again."""

import argparse


class Judge:
    name = "judge"
    summary = "judge a file made by memwarden run --keep, and print the report"
    examples = """\
examples:
  memwarden judge run.mwrec
  memwarden judge run.mwrec --json
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="made by memwarden run --keep FILE")
        parser.add_argument("--json", action="store_true", help="print the report as JSON, not as Markdown")

    def run(self, arguments: argparse.Namespace) -> int:
        from memwarden.report.kept import judge

        print(judge(arguments.file, as_json=arguments.json), end="")
        return 0
