"""The report as one HTML file, to look at in a browser."""

from memwarden.report.html.page import Parts, page
from memwarden_api.report import Report
from memwarden_core.recording import Recording


def render(
    report: Report, recording: Recording | None = None, why_no_recording: str = "", extra: Parts | None = None
) -> str:
    """`recording` holds the samples behind the report; without it there are words and tables only."""
    return page(report, recording, why_no_recording, extra)
