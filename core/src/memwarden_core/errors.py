"""What this package raises.

MemwardenCoreError
└── RecordingError     a kept file cannot be read or a recording cannot be written
"""


class MemwardenCoreError(Exception):
    """Base of all errors of this package."""


class RecordingError(MemwardenCoreError):
    """A kept recording is damaged, too large, newer than this program, or not a recording at all.

    The message names the line, what was wrong there, and what to do next.
    """
