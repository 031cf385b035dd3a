"""The report about a kept file: the same judge, the same recording, no program that runs."""

from pathlib import Path

import memwarden
from memwarden.errors import Failed, reason
from memwarden_api.report import Cost, Report
from memwarden_collector.verdicts import report_verdict, utc
from memwarden_core.errors import RecordingError
from memwarden_core.judge import judge
from memwarden_core.recording import Recording
from memwarden_core.recording_file import read_recording


def report_of(file: Path) -> Report:
    """Raises Failed when it can't be read or is not a recording."""
    recording = _read(file)
    verdict = report_verdict(judge(recording, now=recording.ended), recording)
    return Report(
        schema="memwarden.dev/report/v1",
        memwarden_version=memwarden.__version__,
        started_at=utc(recording.started),
        ended_at=utc(recording.ended),
        exit_code=0,
        app_exit_code=None,
        interval_seconds=recording.interval,
        verdicts=(verdict,),
        cost=Cost(components=(), cpu_ratio=None, start_to_first_sample_seconds=None),
        notes=(f"Judged from the kept file {file.name}: exit codes and cost are not in it.",),
    )


def _read(file: Path) -> Recording:
    try:
        with file.open("rb") as stream:
            return read_recording(stream)
    except OSError as error:
        raise Failed(f"{file} can't be read: {reason(error)}; name a file made with --keep") from error
    except RecordingError as error:
        raise Failed(f"{file} can't be judged: {error}") from error
