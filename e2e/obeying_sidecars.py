"""What stands for sidecars of pods whose programs nobody watches: they tell of themselves, and do what is asked.

Memory is told by `leaking_pods`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reporting_pod import Pod

if TYPE_CHECKING:
    from collector_processes import Collector


def sidecar_of(collector: "Collector", pod: dict[str, Any]) -> Pod:
    """What stands for it; it has told of itself."""
    about = pod["metadata"]
    made = Pod(collector.client, about["name"], about["uid"], about["namespace"])
    made.profile()
    made.histogram()
    return made


@contextmanager
def obeying(*pods: Pod) -> Iterator[None]:
    """Their sidecars do what they are asked for."""
    ends = threading.Event()

    def run() -> None:
        while not ends.wait(0.5):
            for pod in pods:
                pod.obey()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join(60)
