"""Why a pod, or one of its containers, is left alone."""

from dataclasses import dataclass
from typing import Final

from memwarden_api import names


@dataclass(frozen=True, slots=True)
class Skip:
    """Not injected: `reason` for programs, `message` for people, with what to do."""

    reason: str
    message: str

    @property
    def is_told(self) -> bool:
        """Whether anybody wants to know: nobody asked for the others, or the user said no."""
        return self.reason not in SILENT


SILENT: Final = frozenset({names.SKIP_NOT_ASKED_FOR, names.SKIP_OPTED_OUT, names.SKIP_INJECTION_OFF})
"""Counted, but no event and no warning."""

REASONS: Final = tuple(sorted(value for name, value in vars(names).items() if name.startswith("SKIP_")))
"""All that a Skip may have. What each means: docs/reference/conditions.md."""
