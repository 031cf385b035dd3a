"""`memwarden-operator controller`."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from memwarden_api.names import EXIT_FAILED
from memwarden_operator.controller.settings import add_arguments, from_arguments

DESCRIPTION = "Follow MemoryProfiles: what they reach, who owns what, and what the collector says of it."


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load the settings, run until SIGTERM; 125 for settings that can't be used."""
    parser = argparse.ArgumentParser(prog="memwarden-operator controller", description=DESCRIPTION)
    add_arguments(parser)
    parser.add_argument("--print-config", action="store_true", help="print the settings as JSON and end")
    given = parser.parse_args(arguments)
    try:
        settings = from_arguments(given, os.environ)
    except ValueError as error:
        print(f"memwarden-operator controller: {error}", file=sys.stderr)
        return EXIT_FAILED
    if given.print_config:
        print(settings.printable())
        return 0
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
    # Imported only now: a wrong option must not wait for Kopf and the Kubernetes client.
    from memwarden_kube.errors import NotConnected
    from memwarden_operator.controller.run import run

    try:
        asyncio.run(run(settings))
    except NotConnected as error:
        print(f"memwarden-operator controller: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    return 0
