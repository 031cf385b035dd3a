"""`memwarden-operator COMMAND`: injector, controller or certificates. One image, one command a process."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, Protocol

from memwarden_operator.errors import EXIT_FAILED, OperatorError

# (module, class): imported when asked for, since none needs what the others import.
COMMANDS: Final = {
    "controller": ("memwarden_operator.controller.command", "Controller"),
    "injector": ("memwarden_operator.injector.command", "Injector"),
    "certificates": ("memwarden_operator.certificates.command", "Certificates"),
}


class Command(Protocol):
    name: str
    summary: str

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


class _Parser(argparse.ArgumentParser):
    """A wrong option ends like everything else that keeps a command from starting."""

    def error(self, message: str) -> Any:
        self.exit(EXIT_FAILED, f"{self.prog}: {message}; see --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    called = given[0] if given else ""
    parser = _Parser(prog="memwarden-operator", description=__doc__)
    if called not in COMMANDS:
        parser.add_argument("command", choices=tuple(COMMANDS), help="what to run; each has its own --help")
        parser.parse_args(given)
        return EXIT_FAILED
    module, name = COMMANDS[called]
    command: Command = getattr(import_module(module), name)()
    parser = _Parser(prog=f"memwarden-operator {called}", description=command.summary)
    command.configure(parser)
    try:
        return command.run(parser.parse_args(given[1:]))
    except OperatorError as error:
        print(f"memwarden-operator {called}: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
