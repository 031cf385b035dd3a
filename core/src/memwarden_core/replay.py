"""Judging a recording as it would have been judged while it was made."""

from collections.abc import Iterator

from memwarden_core.judge import DEFAULT_SETTINGS, judge
from memwarden_core.recording import Recording
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Verdict


def replay(
    recording: Recording,
    *,
    every_ticks: float = 5.0,
    settings: JudgeSettings = DEFAULT_SETTINGS,
    utc_offset_seconds: int = 0,
) -> Iterator[Verdict]:
    """Verdicts every few ticks from the start to the end, each with the one before it; the last is at the
    end.

    The limit and what is known of processes are those of the whole recording, seen from each moment.
    """
    step = every_ticks * max(recording.interval, 1e-3)
    moment = recording.started + step
    last: tuple[Verdict, ...] = ()
    while moment < recording.ended + step:
        now = min(moment, recording.ended)
        verdict = judge(
            recording,
            now=now,
            previous=last,
            settings=settings,
            utc_offset_seconds=utc_offset_seconds,
        )
        yield verdict
        last = (verdict,)
        moment += step
