"""What keeps a command of the operator from starting, and how it ends then."""

from typing import Final

EXIT_FAILED: Final = 125


class OperatorError(Exception):
    """Base. The text says what is wrong and what to do, on one line."""


class CannotStart(OperatorError):
    """A setting that can't be used, a file that can't be read, an address that is taken."""
