"""`python -m memwarden_collector`: the collector alone."""

import argparse
import os
import sys
from collections.abc import Sequence

from memwarden_api.names import EXIT_FAILED
from memwarden_collector.options import add_arguments, from_arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load the settings, run; 125 for settings that can't be used."""
    parser = argparse.ArgumentParser(prog="memwarden-collector", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--print-config", action="store_true", help="print the settings as JSON and end")
    parser.add_argument(
        "--migrate-to", type=int, metavar="N", help="bring the schema to migration N, also backwards, and end"
    )
    given = parser.parse_args(arguments)
    try:
        settings = from_arguments(given, os.environ)
    except ValueError as error:
        print(f"memwarden collector: {_first_line(error)}", file=sys.stderr)
        return EXIT_FAILED
    if given.print_config:
        print(settings.printable())
        return 0
    # Imported only now: a wrong option must not wait for the server's modules.
    if given.migrate_to is not None:
        from memwarden_collector.migration_command import migrate_to

        return migrate_to(settings, given.migrate_to)
    from memwarden_collector.opening import Opening

    opening = Opening(settings)
    from memwarden_collector.app import run

    return run(settings, opening)


def _first_line(error: ValueError) -> str:
    """pydantic's errors name the field and what is wrong on lines two and three."""
    lines = [line.strip() for line in str(error).splitlines()]
    return f"{lines[1]}: {lines[2].split(' [type=')[0]}" if len(lines) > 2 else lines[0]


if __name__ == "__main__":
    sys.exit(main())
