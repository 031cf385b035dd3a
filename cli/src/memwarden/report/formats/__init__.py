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
    draws_samples: bool = False
    """Whether it shows the samples themselves, beside the report."""

    def render(self, report: "Report", kept: bytes | None = None, why_not_kept: str = "") -> str:
        """The whole file. `kept` is the recording as --keep writes it, for formats that draw samples."""
        if self.draws_samples:
            draw: Callable[[Report, bytes | None, str], str] = import_module(self.module).render_kept
            return draw(report, kept, why_not_kept)
        function: Callable[[Report], str] = import_module(self.module).render
        return function(report)


FORMATS: Final = (
    Format(".html", "memwarden.report.formats.html", draws_samples=True),
    Format(".json", "memwarden.report.formats.json"),
    Format(".md", "memwarden.report.formats.markdown"),
    Format(".xml", "memwarden.report.formats.junit"),
    Format(".sarif", "memwarden.report.formats.sarif"),
)
