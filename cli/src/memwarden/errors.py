"""What a person is told when something does not work, and the exit code that goes with it.

    CommandError            one sentence: which object, why, what to do next
    ├── Failed        125   Memwarden could not start, or could not write what was asked for
    │   └── Usage     125   an option that makes no sense
    ├── NotExecutable 126   the command is there and can't be run
    ├── NotFound      127   there is no such command
    └── Interrupted   128+N a signal came before the app was started

125 and not 2 for wrong options: every code below 125 may be the app's own, as with `env` and `timeout`.
"""

from memwarden_api.names import EXIT_FAILED, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_SIGNAL_BASE


class CommandError(Exception):
    """An expected failure. `main` prints it after "memwarden: " and ends with `exit_code`."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details
        """What a part of ours wrote to its stderr; shown with --verbose."""


class Failed(CommandError):
    """Memwarden itself can't go on."""


class Usage(Failed):
    """An option or argument that makes no sense."""


class NotExecutable(CommandError):
    exit_code = EXIT_NOT_EXECUTABLE


class NotFound(CommandError):
    exit_code = EXIT_NOT_FOUND


class Interrupted(CommandError):
    """A signal came while Memwarden was still starting: there is no app yet whose exit code could be used."""

    def __init__(self, signal_number: int, name: str) -> None:
        super().__init__(f"{name} came before the command was started; nothing was run")
        self.exit_code = EXIT_SIGNAL_BASE + signal_number


def reason(error: OSError) -> str:
    """The cause of a system error in words, without numbers and without the path (the sentence names it)."""
    if error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    # shutil.copytree collects what went wrong, a triple a file; the last element of each says it in words.
    collected = error.args[0] if error.args and isinstance(error.args[0], list) else []
    if collected:
        words = str(collected[0][-1]).partition("] ")[2].partition(": ")[0]
        if words:
            return words[0].lower() + words[1:]
    return type(error).__name__
