"""`memwarden sidecar`: the sidecar in the foreground. Its package owns the options."""

import argparse

from memwarden.errors import Usage


class Sidecar:
    name = "sidecar"
    summary = "sample a process tree and send what is found to a collector"
    examples = """\
example:
  memwarden sidecar --pid 4711 --scope-id shop --socket /tmp/probe.sock --collector http://127.0.0.1:4318
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        from memwarden_sidecar.settings import add_arguments

        add_arguments(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from memwarden_sidecar.__main__ import run
        from memwarden_sidecar.errors import CannotStart
        from memwarden_sidecar.settings import from_arguments

        try:
            settings = from_arguments(arguments)
        except CannotStart as error:
            raise Usage(str(error)) from error
        return run(settings)
