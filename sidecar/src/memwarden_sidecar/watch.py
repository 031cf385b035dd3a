"""The watch over one scope: asks the sources, and says what was seen as one `Observation` a tick."""

import time
from collections.abc import Callable, Mapping

from memwarden_sidecar.clock import Clock
from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.identities import Identities
from memwarden_sidecar.notices import Notices
from memwarden_sidecar.observation import HeapSample, Observation, ProcessIdentity, ProcessSample, ScopeSample
from memwarden_sidecar.probes.census import Census
from memwarden_sidecar.probes.linked import Linked, LinkedProcesses
from memwarden_sidecar.settings import MAX_PROCESSES
from memwarden_sidecar.sources.anonymous_memory import AnonymousMemory, Measured
from memwarden_sidecar.sources.cgroup import MemoryCgroup
from memwarden_sidecar.sources.cpu_time import CpuTime
from memwarden_sidecar.sources.memory_limit import MemoryLimit
from memwarden_sidecar.sources.proc_files import ProcessKey, ProcFolder, Resident, Stat
from memwarden_sidecar.sources.process_tree import ProcessTree


class Watch:
    """State of the watched processes between ticks. Not thread-safe.

    `group` is the cgroup of the whole scope, where it is known beforehand; `everything` means that `proc` shows
    the scope's processes and no others.
    """

    def __init__(
        self,
        proc: ProcFolder,
        clock: Clock,
        linked: LinkedProcesses,
        notices: Notices,
        memory_limit: int | None,
        group: MemoryCgroup | None = None,
        everything: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proc = proc
        self._clock = clock
        self._linked = linked
        self._notices = notices
        self._monotonic = monotonic
        self._tree = ProcessTree(proc, everything=everything)
        self._group = group
        self._cpu = CpuTime()
        self._memory = AnonymousMemory(proc.proportional, time.thread_time, clock.elapsed)
        self._limit = MemoryLimit(proc, memory_limit, group)
        self._identities = Identities(proc, clock)
        self._living: dict[ProcessKey, Stat] = {}

    def follow_root(self, pid: int) -> None:
        """The root of the tree is known now."""
        if self._tree.follow_root(pid):
            self._limit.follow(pid)
        else:
            self._notices.once("root-gone", f"process {pid} is gone; only processes with a probe are watched")

    def meet(self, stat: Stat) -> None:
        """A probe has said hello. Its process may be gone at the next tick."""
        self._identities.meet(stat)

    def observe(self) -> Observation:
        """One tick."""
        self._tree.follow(self._linked.pids())
        before = self._living
        self._living = living = self._tree.look()
        if self._tree.overflow:
            self._notices.once(
                "too-many-processes",
                f"the app has over {MAX_PROCESSES} processes; {self._tree.overflow} of them are not watched",
            )
        self._linked.remember_parents(
            {key.pid: stat.parent_pid for key, stat in living.items() if key not in before}
        )
        cpu = self._cpu.update(living)
        for stat in living.values():
            self._identities.look(stat)
        resident = self._resident(living)
        shares = self._memory.measure(self._measured(resident, living))
        for pid in self._memory.denied if self._group is None else ():
            self._notices.once(
                f"denied:{pid}",
                f"the memory map of process {pid} may not be read; what it shares with others counts twice",
            )
        samples = tuple(
            self._sample(stat, resident.get(key), shares.get(key)) for key, stat in living.items()
        )
        used = sum(shares.values())
        if self._group is not None and living:
            # Of other users' processes only resident sizes can be read, which count shared pages in each.
            used = self._group.anon() or used
        scope = ScopeSample(
            anon=used if shares else None,
            cpu=cpu if living or cpu else None,
            processes=sum(not stat.ended for stat in living.values()),
            room=self._limit.look(used) if shares else None,
        )
        self._identities.keep(living)
        return Observation(self._clock.now(), scope, samples)

    def _resident(self, living: Mapping[ProcessKey, Stat]) -> dict[ProcessKey, Resident]:
        found = {}
        for key, stat in living.items():
            if not stat.ended:
                try:
                    found[key] = self._proc.resident(key.pid)
                except Unreadable:
                    continue
        return found

    def _measured(
        self, resident: Mapping[ProcessKey, Resident], living: Mapping[ProcessKey, Stat]
    ) -> list[Measured]:
        by_pid = {key.pid: key for key in resident}
        measured = []
        for key, memory in resident.items():
            parent = by_pid.get(living[key].parent_pid)
            copied = parent is not None and self._identities.is_copy(key, parent)
            measured.append(Measured(key, memory.anon, parent if copied else None))
        return measured

    def _sample(self, stat: Stat, resident: Resident | None, share: int | None) -> ProcessSample:
        linked = self._linked.get(stat.key)
        counted: Census | None = None
        heap = None
        if linked is not None and not stat.ended:
            heap = self.heap(linked)
            counted, linked.counted = linked.counted, None
            if heap is not None:
                self._identities.note_silence(stat.key, heap.silence)
        return ProcessSample(
            identity=self._identities.of(stat.key, stat.parent_pid, linked),
            rss=resident.rss if resident is not None else None,
            anon=share,
            cpu=stat.cpu_seconds,
            threads=None if stat.ended else stat.threads,
            descriptors=None if stat.ended else self._proc.fd_count(stat.key.pid),
            heap=heap,
            census=counted,
        )

    def heap(self, linked: Linked) -> HeapSample | None:
        """What the table of a process says now, its own part of it."""
        counters = self._linked.counters(linked)
        if counters is None or counters.off:
            return None
        size, samples = counters.live_size, counters.live_samples
        if counters.forked:
            if not linked.sites_read:
                self._linked.sites(linked)
            if not self._linked.counts_inherited(linked):
                size = max(0.0, size - linked.inherited_size)
                samples = max(0, samples - linked.inherited_samples)
        return HeapSample(counters, size, samples, max(0.0, self._monotonic() - counters.ticked))

    def identity(self, linked: Linked) -> ProcessIdentity:
        """Also of a process that has just ended."""
        stat = self._living.get(linked.key)
        parent = stat.parent_pid if stat is not None else linked.hello.parent_pid
        return self._identities.of(linked.key, parent, linked)

    def last_sample(self, linked: Linked) -> ProcessSample:
        """Of a process that has ended or is about to: what its table says, and nothing of /proc."""
        return ProcessSample(
            identity=self.identity(linked),
            rss=None,
            anon=None,
            cpu=None,
            threads=None,
            descriptors=None,
            heap=self.heap(linked),
            census=linked.counted,
        )
