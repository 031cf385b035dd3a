"""Events are told once: not again within five minutes, and never more than sixty in a minute.

Whoever calls decides from the state of the cluster, so the same event comes at each reconcile while its cause lasts.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from memwarden_kube.errors import Forbidden, Invalid, KubeError, NotFound, ServerFault
from memwarden_kube.events import Told
from memwarden_operator.controller import metrics

AGAIN_AFTER: Final = timedelta(minutes=5)
PER_MINUTE: Final = 60
REMEMBERED: Final = 5000
_log = logging.getLogger(__name__)

Post = Callable[[Told, datetime], Awaitable[None]]


class Recorder:
    """Posts through `post`, which raises KubeError."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._told: OrderedDict[str, datetime] = OrderedDict()
        self._minute: tuple[datetime, int] | None = None

    async def tell(self, told: Told, now: datetime) -> None:
        """Raises KubeError where asking again may help: the caller tells it with its next try."""
        name = f"{told.regarding.namespace}/{told.name}"
        last = self._told.get(name)
        if last is not None and now - last < AGAIN_AFTER:
            metrics.EVENTS.labels(told.reason, "repeated").inc()
            return
        if not self._has_room(now):
            metrics.EVENTS.labels(told.reason, "held").inc()
            return
        try:
            await self._post(told, now)
        except (Forbidden, Invalid, NotFound, ServerFault) as error:
            # A right is missing, or the namespace is going: the status says it all the same.
            metrics.EVENTS.labels(told.reason, "error").inc()
            _log.warning("an event could not be posted: %s", error)
        except KubeError:
            metrics.EVENTS.labels(told.reason, "error").inc()
            raise
        else:
            metrics.EVENTS.labels(told.reason, "posted").inc()
        self._remember(name, now)

    def _has_room(self, now: datetime) -> bool:
        if self._minute is None or now - self._minute[0] >= timedelta(minutes=1):
            self._minute = (now, 0)
        start, count = self._minute
        if count >= PER_MINUTE:
            return False
        self._minute = (start, count + 1)
        return True

    def _remember(self, name: str, now: datetime) -> None:
        self._told[name] = now
        self._told.move_to_end(name)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
