"""The backlog: what could not be sent. On disk in the spool; in a small ring in memory while that can't be
written, or where there is none. Oldest first, whichever of the two holds it."""

from collections import deque
from collections.abc import Callable

from memwarden_sidecar.export.account import Account
from memwarden_sidecar.export.batch import Batch
from memwarden_sidecar.export.spool import Spool
from memwarden_sidecar.notices import Notices
from memwarden_sidecar.settings import MEMORY_RING_BYTES, SPOOL_RETRY_SECONDS


class Backlog:
    """To be used under one lock. What is lost is counted in `account` and said once."""

    def __init__(self, spool: Spool | None, notices: Notices, elapsed: Callable[[], float]) -> None:
        self._spool = spool
        self._notices = notices
        self._elapsed = elapsed
        self._ring: deque[Batch] = deque()
        self._ring_bytes = 0
        self._spool_again = float("-inf")
        self.account = Account(
            spool.folder if spool is not None else None, len(spool) if spool is not None else 0, notices
        )

    def __len__(self) -> int:
        return len(self._ring) + (len(self._spool) if self._spool is not None else 0)

    def add(self, batch: Batch, sending: str | None = None) -> None:
        """Keep it. `sending` is the id of the batch that is on its way, which is not pushed out."""
        if self._spool is not None and self._elapsed() >= self._spool_again:
            try:
                self._count_lost(self._spool.add(batch, sending), "the spool is full")
            except OSError as error:
                self._spool_again = self._elapsed() + SPOOL_RETRY_SECONDS
                self._notices.once(
                    "spool-failed",
                    f"the spool can't be written ({error.strerror}); unsent data is kept in memory, "
                    f"{MEMORY_RING_BYTES >> 20} MiB of it; make room below --spool",
                )
            else:
                return
        self._keep_in_memory(batch, sending)

    def _keep_in_memory(self, batch: Batch, sending: str | None) -> None:
        place = len(self._ring)
        while place and self._ring[place - 1].id > batch.id:  # it was on its way while younger ones came here
            place -= 1
        self._ring.insert(place, batch)
        self._ring_bytes += len(batch.body)
        lost = 0
        while self._ring_bytes > MEMORY_RING_BYTES:
            victim = next((one for one in self._ring if one.id != sending), None)
            if victim is None:
                break
            self._leave_ring(victim)
            lost += 1
        self._count_lost(lost, "the memory for unsent data is full")

    def _count_lost(self, count: int, why: str) -> None:
        if count:
            self.account.count("lost", count)
            self._notices.once(
                why, f"{why}: the oldest unsent data is given up; see whether the collector is up"
            )

    def _leave_ring(self, batch: Batch) -> None:
        self._ring.remove(batch)
        self._ring_bytes -= len(batch.body)

    def oldest(self) -> Batch | None:
        """The next to be sent; it stays until `remove`."""
        while self._spool is not None and (on_disk := self._spool.oldest_id()) is not None:
            if self._ring and self._ring[0].id < on_disk:
                break
            batch = self._spool.oldest()
            if batch is not None:
                return batch
            self._count_lost(1, "a file of the spool could not be read or is damaged")
        return self._ring[0] if self._ring else None

    def remove(self, batch: Batch) -> None:
        """It was sent, or is given up."""
        if batch in self._ring:
            self._leave_ring(batch)
        elif self._spool is not None:
            self._spool.remove(batch)

    def in_memory(self) -> int:
        """Batches that end with this process."""
        return len(self._ring)

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()
        self.account.close()
