"""One scope under watch: its linked processes, what is seen of it at a tick, and its profiles, made into batches.

On a laptop there is one, of the run; in a pod one for each container. The loop (sidecar.py) says when.
"""

import time
from collections.abc import Callable

from memwarden_sidecar.clock import Clock
from memwarden_sidecar.export import metrics, profiles
from memwarden_sidecar.export.batch import Kind
from memwarden_sidecar.export.resources import ScopeIdentity
from memwarden_sidecar.notices import Notices
from memwarden_sidecar.observation import Observation, ScopeSample
from memwarden_sidecar.probes.linked import Linked, LinkedProcesses
from memwarden_sidecar.profile_round import ProfileRound
from memwarden_sidecar.settings import LAST_PROFILES_SECONDS, Settings
from memwarden_sidecar.sources.cgroup import MemoryCgroup
from memwarden_sidecar.sources.proc_files import ProcFolder
from memwarden_sidecar.watch import Watch

Check = Callable[[bool], tuple[bool, str] | None]
"""Asked with whether the time is up; None: not yet, else whether it is done, and a sentence."""
Offer = Callable[[Kind, bytes], None]
"""Takes one encoded message on its way to the collector."""


class WatchedScope:
    """Not thread-safe. `proc`, `group` and `everything` are those of Watch."""

    def __init__(
        self,
        identity: ScopeIdentity,
        settings: Settings,
        clock: Clock,
        notices: Notices,
        offer: Offer,
        proc: ProcFolder,
        group: MemoryCgroup | None = None,
        *,
        everything: bool = False,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._offer = offer
        self._started = clock.now()
        self.linked = LinkedProcesses(
            proc,
            notices,
            clock.elapsed,
            settings.interval,
            settings.sampling_bytes,
            lambda stat: self.watch.meet(stat),
            self._see_last,
        )
        self.watch = Watch(proc, clock, self.linked, notices, settings.memory_limit, group, everything)
        self._round = ProfileRound(self._send_profile, clock.elapsed, time.thread_time, notices)

    def tick(self) -> None:
        self._send_metrics(self.watch.observe())

    def ask_probes(self) -> None:
        """What a tick asks of them."""
        self.linked.ask_for_censuses()
        self.linked.ask_for_samples()

    def begin_profiles(self) -> None:
        self._round.begin(self._with_table())

    @property
    def has_profiles_to_make(self) -> bool:
        return self._round.is_open

    def make_profiles(self, seconds: float) -> None:
        """Work for about so long."""
        self._round.go_on(seconds)

    def look_round(self) -> None:
        """At least once a second: see those that have ended."""
        self.linked.bury_ended()
        self.linked.end_order()

    # ── What is asked for beside the schedule; each answers with what to ask whether it is done ──────

    def profile_now(self, pid: int | None) -> Check:
        """Profiles of a process, or of all."""
        found = [linked for linked in self._with_table() if pid in (None, linked.key.pid)]
        self._round.ask(found)

        def check(time_is_up: bool) -> tuple[bool, str] | None:
            if not found:
                return False, _nobody("whose allocation sites are known", pid)
            if self._round.is_open and not time_is_up:
                return None
            return not self._round.is_open, f"profiles of {len(found)} processes"

        return check

    def census_now(self, pid: int | None) -> Check:
        """Types, caches and containers, which go with the next tick."""
        found = self.linked.ask_for_census_now(pid)
        before = {linked.key: linked.census.answers for linked in found}

        def check(time_is_up: bool) -> tuple[bool, str] | None:
            if not found:
                return False, _nobody("whose probe counts objects", pid)
            answered = sum(linked.census.answers > before[linked.key] for linked in found)
            if answered < len(found) and not time_is_up:
                return None
            return answered > 0, f"{answered} of {len(found)} processes answered"

        return check

    def sample_finer(self, pid: int | None, average: int, seconds: float) -> Check:
        """Or coarser: one sample in so many bytes, for so long; new processes of the scope as well."""
        count = self.linked.order_sampling(pid, average, seconds)
        done = count > 0 or pid is None
        text = f"asked of {count} processes for {seconds:.0f} s" if done else _nobody("with a probe", pid)
        return lambda _: (done, text)

    def last_tick(self) -> None:
        """What is known at the end, largest heaps first."""
        self._send_metrics(self.watch.observe())
        self.linked.bury_ended()
        self._round.begin(self._with_table(), last=True)
        self._round.go_on(LAST_PROFILES_SECONDS)

    def close(self) -> None:
        self.linked.close()

    def _send_metrics(self, seen: Observation) -> None:
        for message in metrics.encode(self._identity, seen, self._started):
            self._offer(Kind.METRICS, message)

    def _with_table(self) -> list[Linked]:
        """Largest heaps first."""
        found = [linked for linked in self.linked if linked.table is not None and not linked.said_goodbye]
        return sorted(found, key=lambda linked: linked.last.live_size if linked.last else 0.0, reverse=True)

    def _send_profile(self, linked: Linked) -> None:
        counters = self.linked.counters(linked)
        sites = self.linked.sites(linked)
        # It may have ended since the round began.
        if counters is None or counters.off or linked.table is None:
            return
        message = profiles.encode(
            self._identity,
            self.watch.identity(linked),
            self._clock.now(),
            counters.average,
            sites,
            with_inherited=self.linked.counts_inherited(linked),
        )
        self._offer(Kind.PROFILES, message)

    def _see_last(self, linked: Linked) -> None:
        """A process has ended, or says goodbye: its table is read for the last time."""
        sample = self.watch.last_sample(linked)
        if sample.heap is not None:
            nothing = ScopeSample(anon=None, cpu=None, processes=None, room=None)
            self._send_metrics(Observation(self._clock.now(), nothing, (sample,)))
            self._send_profile(linked)


def _nobody(which: str, pid: int | None) -> str:
    return f"there is no process {which}" if pid is None else f"process {pid} is none {which}"
