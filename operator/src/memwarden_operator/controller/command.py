"""`memwarden-operator controller`: its options, and the process."""

import argparse
import asyncio
import logging
import os
import sys

from memwarden_operator.controller.settings import add_arguments, from_arguments
from memwarden_operator.errors import CannotStart


class Controller:
    name = "controller"
    summary = "follows MemoryProfiles: what they reach, who owns what, and what the collector says of it"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)
        parser.add_argument("--print-config", action="store_true", help="print the settings as JSON and end")

    def run(self, arguments: argparse.Namespace) -> int:
        """Until SIGTERM. Raises CannotStart."""
        try:
            settings = from_arguments(arguments, os.environ)
        except ValueError as error:
            raise CannotStart(str(error)) from error
        if arguments.print_config:
            print(settings.printable())
            return 0
        # Imported here: --help and a wrong option need neither Kopf nor the Kubernetes client.
        from memwarden_kube.errors import NotConnected
        from memwarden_operator.controller.run import run

        logging.basicConfig(
            format="memwarden-controller: %(levelname)s %(message)s",
            level=settings.log_level.upper(),
            stream=sys.stderr,
        )
        # What Kopf does in passing is not what an operator of this one wants to read.
        logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
        try:
            asyncio.run(run(settings))
        except NotConnected as error:
            raise CannotStart(str(error)) from error
        except asyncio.CancelledError:
            return 0
        except OSError as error:
            raise CannotStart(f"--listen {settings.listen}: {error.strerror or error}") from error
        return 0
