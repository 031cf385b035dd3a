"""The report as one HTML file, to look at in a browser."""

import io

from memwarden.report.html.page import Parts, page
from memwarden_api.report import Report
from memwarden_core.errors import RecordingError
from memwarden_core.recording import Recording
from memwarden_core.recording_file import read_recording


def render(
    report: Report, recording: Recording | None = None, why_no_recording: str = "", extra: Parts | None = None
) -> str:
    """`recording` holds the samples behind the report; without it there are words and tables only."""
    return page(report, recording, why_no_recording, extra)


def render_kept(report: Report, kept: bytes | None, why_not_kept: str) -> str:
    """The same from the bytes of a kept file; None where there is none, and why."""
    if kept is None:
        return render(report, None, why_not_kept)
    try:
        recording = read_recording(io.BytesIO(kept))
    except RecordingError as error:
        return render(report, None, str(error))
    return render(report, recording)
