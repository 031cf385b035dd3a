"""One format a file: a module with a function `render`. It is loaded when a report is written, not before:
while the app runs the command stays small.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memwarden_api.report import Report


@dataclass(frozen=True, slots=True)
class Format:
    """How a report is written: chosen by the file's suffix."""

    suffix: str
    module: str

    def render(self, report: "Report") -> str:
        """The whole file."""
        function: Callable[[Report], str] = import_module(self.module).render
        return function(report)


FORMATS: Final = (
    Format(".json", "memwarden.report.formats.json"),
    Format(".md", "memwarden.report.formats.markdown"),
)
