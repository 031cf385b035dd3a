"""The collector as a process: what starts in which order, what ends in which order.

`run(settings)` is all that a command needs: it returns the exit code. It fails before it listens when the
database can't be used, and once it listens nothing but a signal ends it.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import uvicorn

from memwarden_api.names import EXIT_FAILED
from memwarden_collector.access.caller import Access
from memwarden_collector.access.certificate import Certificate
from memwarden_collector.access.opening import open_access, open_api
from memwarden_collector.clock import Clock
from memwarden_collector.dependencies import OK, Dependencies
from memwarden_collector.errors import CollectorError
from memwarden_collector.listen import open_socket, url_of, write_port_file
from memwarden_collector.opening import Opening
from memwarden_collector.otlp.doors import OtlpDoors
from memwarden_collector.otlp.intake import Intake
from memwarden_collector.otlp.quota import Quota
from memwarden_collector.root import App, Root
from memwarden_collector.serve.command_desk import CommandDesk
from memwarden_collector.serve.exposition import Exposition
from memwarden_collector.serve.waiting import end_waiting
from memwarden_collector.settings import Settings
from memwarden_collector.snapshot_folder import SnapshotFolder
from memwarden_collector.snapshot_keeper import SnapshotKeeper
from memwarden_collector.store.connection import Database
from memwarden_collector.store.slow import SlowQueries
from memwarden_collector.store.tier import Store
from memwarden_collector.store.writer import Writer
from memwarden_collector.telemetry import Telemetry
from memwarden_collector.telemetry_export import Export, start_export
from memwarden_collector.upkeep_job import UpkeepJob

if TYPE_CHECKING:
    from memwarden_collector.analysis.analyst import Analyst
    from memwarden_collector.kubelet.door import KubeletDoor
    from memwarden_collector.otlp.grpc_doors import GrpcDoors

_log = logging.getLogger(__name__)
_REQUESTS_SECONDS: Final = 3  # for requests in flight, when the collector is told to end
_WRITER_SECONDS: Final = 1.0
_END_SECONDS: Final = 4.5
_DECODE_THREADS: Final = 2
_DESCRIPTORS: Final = 65_536


def run(settings: Settings, opening: Opening | None = None) -> int:
    """Run until SIGTERM or SIGINT; 0, or 125 with one sentence on standard error.

    `opening` is the database's, where it was begun before this module was imported.
    """
    opening = opening or Opening(settings)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        with contextlib.closing(open_socket(settings.host, settings.port)) as listener:
            database, store = opening.result()
            with contextlib.closing(database):
                _let_many_connect()
                with _snapshot_folder(settings) as folder:
                    asyncio.run(Collector(settings, database, store, listener, folder).serve())
    except CollectorError as error:
        print(f"memwarden collector: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


@contextlib.contextmanager
def _snapshot_folder(settings: Settings) -> Iterator[SnapshotFolder | None]:
    """Raises SnapshotFolderUnusable."""
    if settings.snapshot_folder is None:
        yield None
        return
    with contextlib.closing(SnapshotFolder(settings.snapshot_folder)) as folder:
        yield folder


def _let_many_connect() -> None:
    """Thousands of sidecars keep connections open; the usual soft limit of descriptors is 1 024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, and with a word when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: asyncio.Event) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


async def _open_grpc(
    settings: Settings, intake: Intake, access: Access, certificate: Certificate | None
) -> "GrpcDoors | None":
    """The gRPC doors, open, if they are wanted: gRPC is 20 MB of memory that `memwarden run` does without."""
    if settings.grpc_listen is None:
        return None
    from memwarden_collector.otlp.grpc_doors import GrpcDoors

    doors = GrpcDoors(intake, access, *settings.grpc_listen, certificate)
    _log.info("listening on %s for OTLP over gRPC", await doors.start())
    return doors


class Collector:
    """All parts of one process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: Store,
        listener: socket.socket,
        folder: SnapshotFolder | None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._listener = listener
        self._clock = Clock()
        self._telemetry = Telemetry()
        limits = settings.limits
        self._quota = Quota(limits)
        self._writer = Writer(
            database,
            limits.max_queue_rows,
            limits.max_dictionary_bytes,
            lambda series, resources: self._quota.note_new(series, resources, self._clock.monotonic()),
            self._telemetry,
        )
        self._telemetry.gauge("dictionary_bytes", lambda: self._writer.dictionary_bytes)
        self._export: Export | None = None
        database.tell_slow(SlowQueries(settings.own.slow_query_seconds, self._telemetry))
        self._decoders = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        self._interface_lock = asyncio.Lock()
        self._interface: App | None = None
        self._analyst: Analyst | None = None
        self._kubelets: KubeletDoor | None = None
        self._upkeep = UpkeepJob(database, store, settings.retention, self._telemetry)
        self._desk = CommandDesk(database, settings.limits.max_waiting_sidecars, self._telemetry)
        self._keeper = None
        if folder is not None:
            self._keeper = SnapshotKeeper(
                database, folder, settings.limits, settings.retention, self._telemetry
            )
        self._interface_state = ("loading", "")
        self._dependencies = Dependencies(
            database, store, lambda: self._interface_state, folder, settings.limits, self._clock
        )
        self._series = Exposition(database, self._telemetry, settings.analysis.metric_workloads)
        self._telemetry.count("store_info", tier=str(store.tier), layout=str(store.layout))
        self._telemetry.gauge("queue_rows", lambda: self._writer.queue_rows)
        self._telemetry.gauge("database_up", lambda: float(database.health.trouble is None))

    async def serve(self) -> None:
        """Until a signal; then requests in flight are answered, what waits is committed."""
        settings = self._settings
        certificate = self._certificate()
        access = open_access(settings, self._clock, self._telemetry)
        clock, telemetry, decoders = self._clock, self._telemetry, self._decoders
        intake = Intake(
            *(self._writer, settings.limits, telemetry, clock, decoders, access, self._quota),
            keeper=self._keeper,
        )
        doors = OtlpDoors(intake)
        root = Root(
            doors,
            intake,
            self._load_interface,
            self._next_commands,
            self._dependencies,
            self._telemetry,
            access,
            self._series.text,
            open_metrics=settings.access.open_metrics,
            trust_file=settings.tls.trust_file,
        )
        config = uvicorn.Config(
            root,
            http="httptools",
            loop="asyncio",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_REQUESTS_SECONDS,
            ssl_context_factory=None if certificate is None else lambda *_: certificate.context,
        )
        ready = asyncio.Event()
        server = _Server(config, ready)
        grpc = await _open_grpc(settings, intake, access, certificate)
        ending: list[asyncio.Task[None]] = []

        def close_doors() -> None:
            """All at once: requests in flight have the same seconds at each."""
            end_waiting()
            server.should_exit = True
            self._desk.close()
            if grpc is not None and not ending:
                ending.append(loop.create_task(grpc.stop(_REQUESTS_SECONDS)))

        def stop() -> None:
            close_doors()
            # What hangs (a network that swallows everything) must not keep the process: nothing that was
            # acknowledged is lost by it.
            deadline = threading.Timer(_END_SECONDS, os._exit, (0,))
            deadline.daemon = True
            deadline.start()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        self._writer.start()
        self._upkeep.start()
        self._kubelets = self._open_kubelets()
        if self._keeper is not None:
            self._keeper.start()
        serving = asyncio.create_task(server.serve(sockets=[self._listener]))
        try:
            await asyncio.wait(
                [serving, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED
            )
            url = url_of(self._listener, with_tls=certificate is not None)
            if settings.port_file is not None:
                write_port_file(settings.port_file, url)
            _log.info("listening on %s", url)
            self._export = await asyncio.to_thread(self._start_export)
            watching = None if certificate is None else asyncio.create_task(certificate.watch())
            warming = asyncio.create_task(self._load_interface())
            await serving
            # Not cancelled: what is half loaded can't be closed.
            await asyncio.wait([warming])
            if watching is not None:
                watching.cancel()
            warming.exception()  # was logged, and is told by /readyz
        finally:
            close_doors()
            await asyncio.wait([serving, *ending])
            await asyncio.to_thread(self._close)
            access.close()

    def _certificate(self) -> Certificate | None:
        """Raises CertificateUnusable."""
        tls = self._settings.tls
        if tls.tls_cert_file is None or tls.tls_key_file is None:
            return None
        return Certificate(tls.tls_cert_file, tls.tls_key_file, self._telemetry)

    def _open_kubelets(self) -> "KubeletDoor | None":
        """Reading already, if it is wanted. Raises AccessUnusable."""
        settings = self._settings
        seconds = settings.kubelets.kubelet_seconds
        if not seconds:
            return None
        from memwarden_collector.kubelet.door import KubeletDoor

        door = KubeletDoor(
            open_api(settings.access),
            self._database,
            self._writer.submit,
            settings.limits,
            seconds,
            self._clock,
            self._telemetry,
        )
        door.start()
        return door

    def _start_export(self) -> "Export | None":
        return start_export(self._telemetry, os.environ, self._listener.getsockname()[:2])

    def _close(self) -> None:
        if self._analyst is not None:
            self._analyst.stop()
        self._upkeep.stop()
        if self._kubelets is not None:
            self._kubelets.stop()
        if self._keeper is not None:
            self._keeper.close()
        self._writer.close(_WRITER_SECONDS)
        if self._export is not None:
            self._export.stop()
        self._decoders.shutdown(wait=False, cancel_futures=True)

    async def _next_commands(self, query_string: bytes) -> bytes | None:
        # Imported only now: its models are nothing that a start should wait for.
        from memwarden_collector.serve.command_documents import next_commands

        return await next_commands(self._desk, query_string)

    async def _load_interface(self) -> App:
        """The interface and the analysis, loaded once, in a thread."""
        async with self._interface_lock:
            if self._interface is None:
                try:
                    self._interface = await asyncio.to_thread(self._make_interface)
                except Exception as error:
                    if self._interface_state[0] != "failed":
                        _log.exception("the interface can't be loaded; data is taken all the same")
                    self._interface_state = ("failed", f"{type(error).__name__}: {error}")
                    raise
                self._interface_state = (OK, "")
            return self._interface

    def _make_interface(self) -> App:
        from memwarden_collector.analysis.analyst import Analyst
        from memwarden_collector.serve.interface import make_interface
        from memwarden_collector.serve.services import Services

        self._analyst = Analyst(self._database, self._settings.analysis, self._telemetry, self._clock)
        self._analyst.start()
        services = Services(self._desk, self._keeper, self._settings.limits, self._telemetry)
        return make_interface(self._database, self._analyst, services)
