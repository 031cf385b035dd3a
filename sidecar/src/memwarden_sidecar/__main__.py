"""`python -m memwarden_sidecar`, and the two functions with which `memwarden sidecar` does the same."""

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import NoReturn

from memwarden_sidecar.errors import EXIT_FAILED, CannotStart
from memwarden_sidecar.settings import Settings, add_arguments, from_arguments

__all__ = ["add_arguments", "main", "run"]


def run(settings: Settings) -> int:
    """Watch until told to stop; returns the exit code. To be called by the main thread."""
    # Imported here: --help and --print-config need neither protobuf nor HTTP.
    from memwarden_sidecar.sidecar import Sidecar

    logging.basicConfig(
        format="memwarden-sidecar: %(message)s", level=settings.log_level.upper(), stream=sys.stderr
    )
    try:
        return Sidecar(settings).run()
    except CannotStart as error:
        return _fail(error)


class _Parser(argparse.ArgumentParser):
    """A wrong option ends like everything else that keeps the sidecar from starting."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_FAILED, f"memwarden-sidecar: {message}; see --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _Parser(prog="python -m memwarden_sidecar", description="Watch one process tree.")
    add_arguments(parser)
    parsed = parser.parse_args(arguments)
    try:
        settings = from_arguments(parsed)
    except CannotStart as error:
        return _fail(error)
    if parsed.print_config:
        print(settings.printable())
        return 0
    return run(settings)


def _fail(error: CannotStart) -> int:
    print(f"memwarden-sidecar: {' '.join(str(error).split())}", file=sys.stderr)
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
