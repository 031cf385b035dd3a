"""`memwarden-operator injector`: its options, and the process."""

import argparse
import asyncio
import logging
import sys

from memwarden_operator.injector.settings import add_arguments, from_arguments


class Injector:
    name = "injector"
    summary = "the webhook that puts probes and a sidecar into pods"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)
        parser.add_argument("--print-config", action="store_true", help="print the settings and end")

    def run(self, arguments: argparse.Namespace) -> int:
        """Raises CannotStart."""
        settings = from_arguments(arguments)
        if arguments.print_config:
            print(settings.printable())
            return 0
        # Imported here: --help and a wrong option need no HTTP.
        from memwarden_operator.injector.server import run

        logging.basicConfig(
            format="memwarden-injector: %(levelname)s %(message)s",
            level=settings.log_level.upper(),
            stream=sys.stderr,
        )
        asyncio.run(run(settings))
        return 0
