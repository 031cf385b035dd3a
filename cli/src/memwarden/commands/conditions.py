"""The options that turn a verdict into an exit code, the same for every verb that judges."""

import argparse


def add_conditions(parser: argparse.ArgumentParser, otherwise: str) -> None:
    """Declare --fail-on and --max-growth. `otherwise` says what would have given another exit code."""
    parser.add_argument(
        "--fail-on",
        metavar="WHAT",
        action="append",
        default=[],
        help=f"exit with 86 on leak, growing, oom-within=TIME if {otherwise}; a list with commas, may be repeated",
    )
    parser.add_argument(
        "--max-growth",
        metavar="SIZE/TIME",
        help="exit with 86 if the memory grows faster, as in 1MiB/min",
    )
