"""The kubelet door: one thread that reads kubelets on a fixed interval, for pods that profiles select and no sidecar
watches.

Which pods these are the controller has said (coverage). Nodes are shared out between the collectors on one database.
A kubelet that does not answer costs its own containers a sample and nobody else; nothing here ends the collector.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from memwarden_collector.batch import Batch, Signal
from memwarden_collector.clock import Clock
from memwarden_collector.errors import CollectorError
from memwarden_collector.kubelet.request import request_of
from memwarden_collector.kubelet.shares import share
from memwarden_collector.otlp.metrics import decode_metrics
from memwarden_collector.settings import Limits
from memwarden_collector.store import cluster
from memwarden_collector.store.connection import Database
from memwarden_collector.store.presence import Presence
from memwarden_collector.telemetry import Telemetry
from memwarden_kube.api import Api
from memwarden_kube.errors import KubeError
from memwarden_kube.kubelet import ContainerUse, node_names, uses_on

_log = logging.getLogger(__name__)
_THREADS: Final = 4
_NODES_SECONDS: Final = 60.0
"""Between two lists of nodes."""
MAX_PODS: Final = 20_000
MAX_CONTAINERS: Final = 40_000
_COMMIT_SECONDS: Final = 30.0
Submit = Callable[[Batch], Future[bool]]


class KubeletDoor:
    """Start it, stop it."""

    def __init__(
        self,
        api: Api,
        database: Database,
        submit: Submit,
        limits: Limits,
        interval: float,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._api = api
        self._database = database
        self._submit = submit
        self._limits = limits
        self._interval = interval
        self._clock = clock
        self._telemetry = telemetry
        self._presence = Presence(database)
        self._nodes: tuple[float, list[str]] = (float("-inf"), [])
        self._seen: dict[tuple[str, str, str], float] = {}
        self._said: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelets", daemon=True)
        telemetry.gauge("kubelet_containers", lambda: len(self._seen))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns within a second."""
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="kubelet") as threads:
            due = time.monotonic()
            while not self._stopping.wait(max(0.0, due - time.monotonic())):
                due = max(due + self._interval, time.monotonic())
                try:
                    self._round(threads)
                except (KubeError, CollectorError, TimeoutError) as error:
                    self._trouble(type(error).__name__, f"kubelets are not read: {error}")
                except Exception as error:
                    self._telemetry.count("errors_total", job="kubelets", cause=type(error).__name__)
                    _log.exception("reading kubelets failed; please report it")
        self._presence.leave()
        self._api.close()

    def _round(self, threads: ThreadPoolExecutor) -> None:
        with self._database.lend() as connection:
            wanted = cluster.without_sidecar(connection, MAX_PODS)
        me, peers = self._presence.peers()  # asked also where nothing is wanted: others count on it
        if not wanted:
            self._seen = {}
            return
        mine = share(self._list_nodes(), me, peers)
        uses: list[ContainerUse] = []
        for found in threads.map(self._read, mine):
            uses += [use for use in found if (use.namespace, use.pod) in wanted]
        self._store(uses[:MAX_CONTAINERS])

    def _list_nodes(self) -> list[str]:
        listed, nodes = self._nodes
        if time.monotonic() - listed >= _NODES_SECONDS:
            nodes = node_names(self._api)
            self._nodes = (time.monotonic(), nodes)
        return nodes

    def _read(self, node: str) -> list[ContainerUse]:
        if self._stopping.is_set():
            return []
        try:
            found = uses_on(self._api, node)
        except KubeError as error:
            self._telemetry.count("kubelets_read_total", result=type(error).__name__)
            self._trouble(f"{node}:{type(error).__name__}", f"the kubelet of {node} can't be read: {error}")
            return []
        self._telemetry.count("kubelets_read_total", result="read")
        self._said = {cause for cause in self._said if not cause.startswith(f"{node}:")}
        return found

    def _store(self, uses: list[ContainerUse]) -> None:
        """What is newer than what was stored: kubelets measure on an interval of their own."""
        before, self._seen = self._seen, {(use.pod_uid, use.container, use.life): use.at for use in uses}
        newer = [use for use in uses if use.at > before.get((use.pod_uid, use.container, use.life), 0.0)]
        if not newer:
            return
        request = request_of(newer, self._interval)
        blocks, rejections = decode_metrics(request, self._limits, self._clock.now())
        rejections.report(self._telemetry, self._limits, "metrics")
        if blocks:
            key = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
            self._submit(Batch(key, Signal.METRICS, blocks)).result(_COMMIT_SECONDS)

    def _trouble(self, cause: str, text: str) -> None:
        self._telemetry.count("errors_total", job="kubelets", cause=cause.rpartition(":")[2])
        if cause not in self._said and len(self._said) < 256:
            self._said.add(cause)
            _log.warning("%s", text)
