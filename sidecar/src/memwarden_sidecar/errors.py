"""What can stop the sidecar, or a part of its work.

SidecarError
├── CannotStart        ends with exit code 125 and one sentence; nothing was watched
├── Refused            what a peer on the socket sent is not used; counted by `reason`
├── Unreachable        no answer of the collector came
└── Unreadable         a file of /proc could not be read; the value is left out, or a coarser one stands in
"""

from typing import Final

from memwarden_api import names

EXIT_FAILED: Final = names.EXIT_FAILED

__all__ = ["EXIT_FAILED", "CannotStart", "Refused", "SidecarError", "Unreachable", "Unreadable"]


class SidecarError(Exception):
    """Root of the tree. Its text is a sentence for people: object, cause, next step."""


class CannotStart(SidecarError):
    """A setting or the machine does not allow to start."""


class Refused(SidecarError):
    """A peer on the probes' socket sent what can't be used.

    `reason` is a short word out of a fixed set, so that it can be counted.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Unreachable(SidecarError):
    """The collector did not answer: why, in the words of the system."""


class Unreadable(SidecarError):
    """A file of a process can't be read: the process is gone, or belongs to somebody else (`denied`)."""

    def __init__(self, text: str, *, denied: bool) -> None:
        super().__init__(text)
        self.denied = denied
