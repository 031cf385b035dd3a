"""`memwarden run`: watch a command and everything that it starts."""

import argparse
import os
from pathlib import Path
from typing import Final

from memwarden.commands.conditions import add_conditions
from memwarden.commands.sensitivity import add_sensitivity
from memwarden.errors import Usage
from memwarden.quantities import duration, size

VALUED: Final = (
    ("--duration", "TIME", None, "end the command after this time: SIGTERM, 10 s later SIGKILL"),
    ("--interval", "TIME", "1s", "between two samples (default: %(default)s)"),
    ("--memory-limit", "SIZE", None, "judge against this (default: the cgroup's limit, or what is free)"),
    ("--sampling", "SIZE", "512KiB", "mean bytes between two allocation samples (default: %(default)s)"),
    ("--keep", "FILE", None, "keep what was recorded, for memwarden report and why"),
    ("--database-url", "URL", None, "use this PostgreSQL (≥15; else $MEMWARDEN_DATABASE_URL)"),
)


class Run:
    name = "run"
    summary = "run a command and say whether it leaks memory, and where"
    examples = """\
examples:
  memwarden run -- python app.py
  memwarden run --duration 10m --fail-on leak --report leak.md -- python -m pytest
  memwarden run --fail-on leak,oom-within=1h --max-growth 1MiB/min --report leak.sarif -- python app.py
  memwarden run --memory-limit 512MiB --keep run.mwrec -- gunicorn shop:app

exit codes: the command's own; 86 a condition of --fail-on or --max-growth is met and it ended with 0;
125 Memwarden could not do what was asked; 126, 127 the command can't be run, was not found;
128 + N the command was ended by signal N.
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        parser.usage = "memwarden run [options] -- COMMAND [ARGUMENT ...]"
        parser.set_defaults(command=[])
        for option, metavar, default, text in VALUED:
            add(option, metavar=metavar, default=default, help=text)
        add(
            "--report",
            metavar="FILE",
            action="append",
            default=[],
            help="a .html, .json, .md, .xml (JUnit) or .sarif; may be repeated",
        )
        add_conditions(parser, "the command ended with 0")
        add_sensitivity(parser, "high")
        add("--quiet", action="store_true", help="say nothing but errors")
        add("--verbose", action="store_true", help="show what Memwarden's own parts wrote")

    def run(self, arguments: argparse.Namespace) -> int:
        from memwarden.run.conditions import conditions
        from memwarden.run.plan import Plan, find_executable, report_targets, writable
        from memwarden.run.session import run

        command = arguments.command
        if not command:
            raise Usage("no command was given; put it behind --, as in: memwarden run -- python app.py")
        duration_text, limit_text = arguments.duration, arguments.memory_limit
        plan = Plan(
            command=tuple(command),
            executable=find_executable(command[0], os.environ),
            duration_seconds=duration(duration_text, "--duration") if duration_text else None,
            interval_seconds=duration(arguments.interval, "--interval"),
            memory_limit_bytes=size(limit_text, "--memory-limit") if limit_text else None,
            sampling_bytes=size(arguments.sampling, "--sampling"),
            fail_on=conditions(tuple(arguments.fail_on), arguments.max_growth),
            reports=report_targets(tuple(arguments.report)),
            keep=writable("--keep", Path(arguments.keep)) if arguments.keep else None,
            database_url=arguments.database_url or os.environ.get("MEMWARDEN_DATABASE_URL") or None,
            sensitivity=arguments.sensitivity,
            quiet=arguments.quiet,
            verbose=arguments.verbose,
        )
        return run(plan)
