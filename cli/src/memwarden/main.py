"""The command line: find the verb, run it, turn every failure into one sentence and an exit code."""

import argparse
import os
import sys
from collections.abc import Container, Sequence
from typing import Final, NoReturn

from memwarden import __version__, voice
from memwarden.commands import COMMANDS, Command
from memwarden.errors import CommandError, Usage

_SEPARATOR: Final = "--"
_INTERRUPTED: Final = 130


class Parser(argparse.ArgumentParser):
    """argparse with our way of saying what is wrong."""

    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; nothing is raised."""
    words = list(sys.argv[1:] if argv is None else argv)
    options, command = _split(words)
    try:
        arguments = _parse(options)
        if command is not None:
            if arguments.verb.name != "run":
                raise Usage(f"{_SEPARATOR} belongs to memwarden run; {arguments.verb.name} starts no command")
            arguments.command = command
        code: int = arguments.verb.run(arguments)
    except CommandError as error:
        if "--verbose" in options and error.details:
            voice.write(f"{error.details.rstrip()}\n")
        voice.say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # `memwarden why FILE | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it is flushed again at exit
        return 0
    except Exception as error:
        return _bug(error, verbose="--verbose" in options)
    return code


def _bug(error: Exception, *, verbose: bool) -> int:
    if verbose:
        import traceback

        voice.write(traceback.format_exc())
    hint = "please report it with the lines above" if verbose else "run it again with --verbose to see where"
    voice.say(f"this is a bug in memwarden: {type(error).__name__}: {error}; {hint}")
    return CommandError.exit_code


def _split(words: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """What is ours, and what is behind the first `--`: that is never parsed."""
    if _SEPARATOR not in words:
        return list(words), None
    at = list(words).index(_SEPARATOR)
    return list(words[:at]), list(words[at + 1 :])


def _parse(options: Sequence[str]) -> argparse.Namespace:
    return build_parser(options).parse_args(options)


def build_parser(wanted: Container[str]) -> Parser:
    """The whole command line, with the options of the verbs that are in `wanted`."""
    parser = Parser(
        prog="memwarden",
        description="Finds the process that leaks memory, and the line.",
        epilog="memwarden VERB --help says more, with examples.",
    )
    parser.add_argument("--version", action="version", version=f"memwarden {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=Parser)
    for verb in COMMANDS:
        _add(verbs, verb, chosen=verb.name in wanted)
    return parser


def _add(verbs: "argparse._SubParsersAction[Parser]", verb: Command, *, chosen: bool) -> None:
    parser = verbs.add_parser(
        verb.name,
        help=verb.summary,
        description=verb.summary[0].upper() + verb.summary[1:] + ".",
        epilog=verb.examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(verb=verb)
    if chosen:  # another package's options are loaded only when they are needed
        verb.configure(parser)


if __name__ == "__main__":
    sys.exit(main())
