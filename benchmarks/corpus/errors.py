"""What can be wrong with the corpus.

LabelError               a label, the split or a fleet is not what it has to be
EnvironmentUnavailable   an interpreter or a package can't be had on this machine
Refused                  a run that can't be used as a recording
"""


class LabelError(Exception):
    """The text names the program, the field and the reason."""


class EnvironmentUnavailable(Exception):
    """The text says which interpreter or package, and what the installer said."""


class Refused(Exception):
    """The text says why."""
