"""One verb a file. What a verb needs is imported when it runs, so that `memwarden --help` is quick."""

import argparse
from typing import Final, Protocol

from memwarden.commands.cache import Cache
from memwarden.commands.collector import Collector
from memwarden.commands.completion import Completion
from memwarden.commands.demo import Demo
from memwarden.commands.report import Report
from memwarden.commands.run import Run
from memwarden.commands.sidecar import Sidecar
from memwarden.commands.top import Top
from memwarden.commands.why import Why


class Command(Protocol):
    """A verb of the command line."""

    name: str
    summary: str
    """One line of `memwarden --help`."""
    examples: str
    """Shown below the verb's own help."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's options. Called only when this verb is the one."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; returns the exit code. Raises CommandError with one sentence."""


COMMANDS: Final[tuple[Command, ...]] = (
    Run(),
    Top(),
    Demo(),
    Report(),
    Why(),
    Cache(),
    Collector(),
    Sidecar(),
    Completion(),
)
