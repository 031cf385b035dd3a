"""`memwarden collector`: the collector in the foreground. Its package owns the options."""

import argparse
import os

from memwarden.errors import Usage


class Collector:
    name = "collector"
    summary = "receive samples, keep them in PostgreSQL, judge them"
    examples = """\
example (the password by the environment, since every user can read command lines):
  MEMWARDEN_DATABASE_URL=postgresql://me@db/memwarden memwarden collector --listen 0.0.0.0:4318
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        from memwarden_collector.options import add_arguments

        add_arguments(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from memwarden_collector.app import run
        from memwarden_collector.options import from_arguments

        try:
            settings = from_arguments(arguments, os.environ)
        except ValueError as error:
            raise Usage(" ".join(str(error).split())) from error
        return run(settings)
