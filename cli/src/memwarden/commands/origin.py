"""The options that say which recording is meant, the same for every verb that reads one."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from memwarden.errors import Usage

if TYPE_CHECKING:
    from memwarden.report.selection import Selection
    from memwarden.report.sources import Source

_ENV_DATABASE_URL: Final = "MEMWARDEN_DATABASE_URL"
ONE_RUN: Final = "a kept file has one run in it: --database-url, --scope and --list belong to a database"
MOMENTS: Final = (
    "A moment is RFC 3339 (2026-11-21T12:00:00Z), counted from the start (5m), or from the end (--from=-5m)."
)


def add_origin(parser: argparse.ArgumentParser) -> None:
    """Declare FILE, --keep, --database-url and --scope."""
    add = parser.add_argument
    add("file", metavar="FILE", nargs="?", type=Path, help="made by memwarden run --keep FILE")
    add("--keep", metavar="FILE", type=Path, help="the same, for those who think of it by this name")
    add("--database-url", metavar="URL", help=f"read this database (else ${_ENV_DATABASE_URL})")
    add(
        "--scope",
        metavar="NAME",
        help="which run or container of the database (default: the one seen last)",
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Declare --from, --to and --pid."""
    add = parser.add_argument
    add("--from", dest="begin", metavar="TIME", help="leave out what was before")
    add("--to", dest="end", metavar="TIME", help="leave out what came after")
    add("--pid", type=int, help="judge this process alone")


def selection(arguments: argparse.Namespace) -> "Selection":
    from memwarden.report.selection import Selection

    return Selection(arguments.begin, arguments.end, arguments.pid)


def origin(arguments: argparse.Namespace) -> tuple[Path | None, str | None]:
    """The kept file or the database's URL, one of them. Raises Usage."""
    if arguments.file and arguments.keep:
        raise Usage("FILE and --keep name the same thing; give one of them")
    file = arguments.file or arguments.keep
    if file and (arguments.database_url or arguments.scope):
        raise Usage(ONE_RUN)
    if file:
        return file, None
    url = arguments.database_url or os.environ.get(_ENV_DATABASE_URL)
    if not url:
        raise Usage(
            "nothing to report on: name a file made with memwarden run --keep FILE, or a --database-url"
        )
    return None, url


def source(file: Path | None, url: str | None, scope: str | None) -> "Source":
    """Raises Failed where it can't be read."""
    from memwarden.report import sources

    if file is not None:
        return sources.from_file(file)
    assert url is not None
    return sources.from_database(url, scope)
