"""All asking is done in a thread: the screen only ever draws what came last."""

import threading
from collections.abc import Callable

from memwarden.top.watcher import EVERY_SECONDS


class Looking:
    """Calls `look` again and again in a thread, at most once a second; the screen is never waited for."""

    def __init__(self, look: Callable[[], bool]) -> None:
        self._look = look
        self._over = threading.Event()
        threading.Thread(target=self._work, daemon=True, name="memwarden-top").start()

    def end(self) -> None:
        self._over.set()

    def _work(self) -> None:
        """Until `end`, or until `look` says that there is nothing more to see."""
        while not self._over.is_set() and self._look():
            self._over.wait(EVERY_SECONDS)
