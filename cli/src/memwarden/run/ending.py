"""After the app's end: the last flush, the final judgement, the files, the summary, the exit code."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from memwarden import voice
from memwarden.api import ApiError, Call
from memwarden.errors import CommandError
from memwarden.run.backend import SIDECAR_FLUSH_SECONDS, Backend
from memwarden.run.cost import Usage
from memwarden.run.death import OutOfMemory, account_of_death
from memwarden.run.outcome import Outcome
from memwarden.run.watch import Ended
from memwarden.supervise.mailbox import Mailbox
from memwarden_api.names import EXIT_LEAK, MEMORY_ANON, PROBE_CPU_TIME, PROBE_SWITCHED_OFF
from memwarden_sidecar.export.account import Settled, settle

if TYPE_CHECKING:  # pydantic is loaded after the app's end, not while it runs
    from memwarden_api.report import Report

Result = TypeVar("Result")

_JUDGE_SECONDS: Final = 30.0
_FETCH_SECONDS: Final = 60.0
_BEGINNING_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02
_ENOUGH: Final = 3
"""So many Ctrl-C after the app's end cut short what is left to wait for; never the clean-up."""
_NOT_FOUND: Final = 404
_AWAY: Final = 503
_TRIES: Final = 3
_FLUSHES: Final = 4
_WHOLE_SECONDS: Final = 15.0
"""What was killed has so long to be there again."""


@dataclass(slots=True)
class Ending:
    """The last part of a run. `finish` is the whole of it."""

    backend: Backend
    mailbox: Mailbox
    ended: Ended
    started_at: float
    """Unix seconds, of the app."""
    usage: Mapping[str, Usage]
    """What each part took while the app ran."""
    notes: list[str]
    out_of_memory: OutOfMemory
    verdict: dict[str, Any] | None = None
    unknown_because: str = ""
    probe_cpu: Sequence[dict[str, Any]] = ()
    memory: Sequence[dict[str, Any]] = ()
    last_memory: Sequence[dict[str, Any]] = ()
    unhonoured: list[str] = field(default_factory=list)
    """What was asked for and could not be done, a sentence each."""
    failed_because: str = ""
    """The conditions of --fail-on and --max-growth that are met, in words."""
    delivered: Settled | None = None
    _recording: bytes | None = None
    _signals: int = 0

    def finish(self) -> int:
        """Returns the exit code of the run."""
        self._wait(self.backend.is_whole, _WHOLE_SECONDS)
        self._flush()
        self._judge()
        self.notes += [*self._restraints(), *self.backend.losses(), *self._undelivered()]
        self._fetch_series()
        if died := account_of_death(self.ended.exit_code, self.out_of_memory, self._last_memory()):
            self.notes.insert(0, died)
        report = self._build()
        written = [*self._keep(), *self._write(report)]
        if not self.backend.plan.quiet:
            from memwarden.terminal.summary import lines

            voice.write("".join(f"{line}\n" for line in lines(report, written)))
        for sentence in self.unhonoured:
            voice.say(sentence)
        code = self._exit_code()
        if code == EXIT_LEAK and self.failed_because and self.ended.exit_code != EXIT_LEAK:
            voice.say(f"exit code {code}: {self.failed_because}")
        return code

    def _flush(self) -> None:
        """The sidecar sends what it has, and ends. Where it was killed over it, or had more than it could send in its
        time, another one goes on with the spool.
        """
        left: int | None = None
        for _ in range(_FLUSHES):
            sidecar = self.backend.ask_to_end("sidecar")
            if not self._wait(lambda: sidecar.exit_code() is not None, SIDECAR_FLUSH_SECONDS):  # noqa: B023
                self.notes.append(
                    "The sidecar did not finish its last flush; the last samples may be missing."
                )
                break
            self.backend.note_end("sidecar")
            before, self.delivered = left, settle(self.backend.spool)
            left = self.delivered.left if self.delivered is not None else 0
            if left == 0 or left == before or self._signals >= _ENOUGH:
                break
            self._wait(self.backend.is_whole, _WHOLE_SECONDS)
            self._wait(lambda: threading.active_count() == 1, 1)
            self.backend.start_once_more("sidecar")
            self._wait(self.backend.is_whole, _WHOLE_SECONDS)
        self.delivered = settle(self.backend.spool)

    def _judge(self) -> None:
        plan = self.backend.plan
        try:
            self.verdict = self._call(lambda: self.backend.api.judge(_JUDGE_SECONDS), _JUDGE_SECONDS)
        except ApiError as error:
            if error.status == _NOT_FOUND:  # the collector has never heard of this run
                self.unknown_because = "the command ended before a sample of it was taken"
                return
            self.unknown_because = f"the collector could not judge it: {error}"
            sentence = f"there is no verdict, the collector could not judge the run: {error}"
            if plan.fail_on or plan.reports:
                self.unhonoured.append(f"{sentence}; run it again, with --verbose to see what happened")
            else:
                self.notes.append(f"{sentence[0].upper()}{sentence[1:]}.")

    def _restraints(self) -> Sequence[str]:
        """A sentence for each process whose probe does less than it was asked to, to keep to its CPU budget."""
        processes = self.verdict["processes"] if self.verdict is not None else ()
        return [
            f"Of process {process['pid']} less is known: {process['probe_reason']}."
            for process in processes
            if process["probe_reason"].startswith(PROBE_SWITCHED_OFF)
            or (process["probe"] == "hooked" and process["probe_reason"])
        ]

    def _undelivered(self) -> Sequence[str]:
        """What was seen and is not in the database, with its number."""
        seen = self.delivered
        if seen is None or seen.made == seen.sent:
            return ()
        parts = (
            (seen.lost, "were lost"),
            (seen.left, "could not be delivered"),
            (seen.refused, "were refused"),
        )
        what = ", ".join(f"{count} {how}" for count, how in parts if count)
        return (f"Of {seen.made} batches of data {what}; the rest is in the report.",)

    def _fetch_series(self) -> None:
        if self.verdict is None:
            return
        api, begin = self.backend.api, self.started_at + _BEGINNING_SECONDS
        try:
            self.probe_cpu = self._call(lambda: api.series(PROBE_CPU_TIME, _FETCH_SECONDS), _FETCH_SECONDS)
            # Of the beginning alone: long series come with fewer points, and the first may not be among them.
            self.memory = self._call(
                lambda: api.series(MEMORY_ANON, _FETCH_SECONDS, end=begin), _FETCH_SECONDS
            )
            recently = self.ended.at - _BEGINNING_SECONDS
            self.last_memory = self._call(
                lambda: api.series(MEMORY_ANON, _FETCH_SECONDS, start=recently), _FETCH_SECONDS
            )
        except ApiError as error:
            self.notes.append(f"What the probe cost is not known, the collector gave no series: {error}.")

    def _last_memory(self) -> dict[str, float] | None:
        """Of the last sample that saw the app alive: bytes, and seconds before its end."""
        points = [
            (float(time), float(value))
            for item in self.last_memory
            for time, value in zip(item["times"], item["values"], strict=True)
            if float(time) <= self.ended.at
        ]
        if not points:
            return None
        at, size = max(points)
        return {"seconds": self.ended.at - at, "bytes": size}

    def _build(self) -> "Report":
        from memwarden.report.build import Seen, build

        plan = self.backend.plan
        report = build(
            Seen(
                command=plan.command,
                scope=self.backend.scope,
                interval_seconds=plan.interval_seconds,
                started_at=self.started_at,
                ended_at=self.ended.at,
                exit_code=self._exit_code(),
                app_exit_code=self.ended.exit_code,
                usage=self.usage,
                verdict=self.verdict,
                unknown_because=self.unknown_because,
                probe_cpu=self.probe_cpu,
                memory=self.memory,
                notes=tuple(self.notes),
                faults=tuple(self.backend.faults),
                delivered=self.delivered,
            )
        )
        return self._with_conditions(report)

    def _with_conditions(self, report: "Report") -> "Report":
        """The report with the answers to --fail-on and --max-growth, and the exit code that follows."""
        from memwarden.report.conditions import check, unchecked, why

        checked = check(self.backend.plan.fail_on, report.verdicts)
        self.failed_because = why(checked)
        if sentence := unchecked(checked):
            self.notes.append(sentence)
        changes = {"fail_conditions": checked, "exit_code": self._exit_code(), "notes": tuple(self.notes)}
        return report.model_copy(update=changes)

    def _keep(self) -> Sequence[Path]:
        keep = self.backend.plan.keep
        if keep is None:
            return ()
        from memwarden.report.file import write_whole

        try:
            write_whole(keep, self._fetch_recording())
        except ApiError as error:
            cause = self.unknown_because if error.status == _NOT_FOUND else str(error)
            self.unhonoured.append(f"{keep} was not written: there is no recording of this run ({cause})")
        except CommandError as error:
            self.unhonoured.append(str(error))
        else:
            return (keep,)
        return ()

    def _fetch_recording(self) -> bytes:
        """All that was recorded, as a kept file holds it. Raises ApiError."""
        if self._recording is None:
            api = self.backend.api
            self._recording = self._call(lambda: api.recording(_FETCH_SECONDS), _FETCH_SECONDS)
        return self._recording

    def _samples(self, wanted: bool) -> tuple[bytes | None, str]:
        """The recording, or why there is none, for formats that draw samples."""
        if not wanted:
            return None, ""
        try:
            return self._fetch_recording(), ""
        except ApiError as error:
            return (
                None,
                self.unknown_because if error.status == _NOT_FOUND else f"the collector gave none ({error})",
            )

    def _write(self, report: "Report") -> Sequence[Path]:
        from memwarden.report.file import write_whole

        written = []
        for path, format_ in self.backend.plan.reports:
            try:
                kept, why_not = self._samples(format_.draws_samples)
                write_whole(path, format_.render(report, kept, why_not).encode())
                written.append(path)
            except CommandError as error:
                self.unhonoured.append(str(error))
        return written

    def _exit_code(self) -> int:
        return Outcome(
            app_exit_code=self.ended.exit_code,
            ended_by_duration=self.ended.by_duration,
            condition_met=bool(self.failed_because),
            all_honoured=not self.unhonoured,
        ).exit_code

    def _call(self, function: Callable[[], Result], seconds: float) -> Result:
        """The function's result; ApiError when it takes too long, or people don't want to wait. When a part of ours
        was killed over it, it is asked once more.
        """
        for _ in range(_TRIES - 1):
            try:
                return self._call_once(function, seconds)
            except ApiError as error:
                if not self.backend.fallen() and error.status != _AWAY:
                    raise
                time.sleep(_POLL_SECONDS)
                self._wait(self.backend.is_whole, _WHOLE_SECONDS)
        return self._call_once(function, seconds)

    def _call_once(self, function: Callable[[], Result], seconds: float) -> Result:
        call = Call(function)
        self._wait(call.done, seconds + 1)
        return call.result()

    def _wait(self, done: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not done():
            if self._signals >= _ENOUGH or time.monotonic() >= deadline:
                return False
            received = self.mailbox.take(_POLL_SECONDS)
            if received is not None and self.mailbox.is_end(received):
                self._signals += 1
        return True
