"""The injector's process: the webhook by TLS, health and metrics without, the watches, the events.

Started and stopped in one place, `run`. After SIGTERM it says that it is not ready, answers on for a while, and
then ends what is under way.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import ssl
import time
from asyncio.sslproto import SSLProtocol
from dataclasses import replace
from typing import Final

from aiohttp import web

from memwarden_operator.errors import CannotStart
from memwarden_operator.injector.api import Access, Api
from memwarden_operator.injector.certificate_file import CertificateFile
from memwarden_operator.injector.events import Events
from memwarden_operator.injector.installation import Installation
from memwarden_operator.injector.knowledge import Knowledge
from memwarden_operator.injector.metrics import CONTENT_TYPE, Metrics
from memwarden_operator.injector.review import MALFORMED, Answer, Malformed, answer
from memwarden_operator.injector.settings import (
    BODY_BYTES,
    CERTIFICATE_SECONDS,
    Settings,
    address_of,
)
from memwarden_operator.version import VERSION

_log = logging.getLogger(__name__)
KEEPALIVE_SECONDS: Final = 120.0
"""Longer than the 90 s after which the API server closes what is idle: else a review may meet an ending connection."""
SHUTDOWN_SECONDS: Final = 2.0
"""For what is under way when the doors close: as long as the API server waits for an answer."""
TLS_BUFFER_BYTES: Final = 32 << 10
"""Two TLS records: reviews are small."""
FIRST_LOOKS_SECONDS: Final = 0.5
"""Between two looks for files that are not there yet."""
LABELLED_POD: Final = "/mutate/labelled-pod"
LABELLED_NAMESPACE: Final = "/mutate/labelled-namespace"
"""The configuration's two entries; the path says what the namespace's label is known to be."""


class Injector:
    """Answers requests. Nothing here waits for the API server."""

    def __init__(
        self, settings: Settings, knowledge: Knowledge, events: Events, certificate: CertificateFile
    ) -> None:
        self._settings = settings
        self._knowledge = knowledge
        self._events = events
        self._certificate = certificate
        self._installation = _installation(settings)
        self._metrics = Metrics(knowledge, events, certificate)
        self.is_draining = False
        self.waits_for = "the certificate was not looked for yet"
        """A file without which there is no webhook yet, in words; "": none."""

    def webhook(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES)
        app.router.add_post(LABELLED_POD, self._labelled_pod)
        app.router.add_post(LABELLED_NAMESPACE, self._labelled_namespace)
        return app

    def health(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics_page)
        return app

    async def wait_for_files(self) -> None:
        """Until certificate and bundle are there: whoever makes them may come later than we. Raises CannotStart where
        they are there and are none."""
        while True:
            try:
                self._certificate.reload()
                self._read_trust()
                self.waits_for = ""
                return
            except FileNotFoundError as error:
                if not self.waits_for.endswith(str(error)):
                    self.waits_for = (
                        f"waiting for a file of --tls-cert, --tls-key or --collector-ca-file: {error}"
                    )
                    _log.warning("%s", self.waits_for)
            except (OSError, ValueError) as error:
                raise CannotStart(f"--tls-cert, --tls-key, --collector-ca-file: {error}") from None
            await asyncio.sleep(FIRST_LOOKS_SECONDS)

    async def look_at_files(self) -> None:
        """Until cancelled: certificates are replaced while we run."""
        while True:
            await asyncio.sleep(CERTIFICATE_SECONDS)
            self._certificate.look()
            try:
                self._read_trust()
            except (OSError, ValueError) as error:
                _log.warning("can't read --collector-ca-file: %s; pods get what was in it before", error)

    def _read_trust(self) -> None:
        """Raises OSError or ValueError."""
        path = self._settings.collector_ca_file
        trust = "" if path is None else f"{path.read_text(encoding='ascii').strip()}\n"
        if trust != self._installation.trust:
            _log.info("new pods are told by %s who may sign the collector's certificate", path)
            self._installation = replace(self._installation, trust=trust)

    async def _labelled_pod(self, request: web.Request) -> web.Response:
        return await self._review(request, None)

    async def _labelled_namespace(self, request: web.Request) -> web.Response:
        return await self._review(request, "true")

    async def _review(self, request: web.Request, namespace_label: str | None) -> web.Response:
        body = await request.read()
        started = time.perf_counter()
        try:
            found = answer(body, namespace_label, self._knowledge, self._installation)
        except Malformed as error:
            self._metrics.count_malformed(MALFORMED)
            return web.Response(status=400, text=f"{error}\n")
        self._metrics.count(found, time.perf_counter() - started)
        self._tell(found)
        return web.Response(body=found.body, content_type="application/json")

    def _tell(self, found: Answer) -> None:
        if found.pod is None or found.is_trial:
            return
        for skip in found.skips:
            if skip.is_told:
                self._events.tell(found.pod, skip)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        """Synced once is enough: while the API server is away no pod is made, either."""
        if self.is_draining:
            return web.Response(status=503, text="ending\n")
        if self.waits_for:
            return web.Response(status=503, text=f"{self.waits_for}\n")
        if not self._knowledge.is_synced:
            return web.Response(
                status=503, text=f"MemoryProfiles are not known: {self._knowledge.profiles.problem}\n"
            )
        return web.Response(text="ok\n")

    async def _metrics_page(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.written(), headers={"Content-Type": CONTENT_TYPE})


async def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises CannotStart."""
    # Each TLS connection has a buffer of this size, 256 KiB by default, filled with zeros when it is made.
    SSLProtocol.max_size = TLS_BUFFER_BYTES
    # What was imported lives as long as we do: the collector need not look through it again and again.
    gc.freeze()
    certificate = CertificateFile(settings.tls_cert, settings.tls_key)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Api(_access(settings), f"memwarden-injector/{VERSION}") as api:
        knowledge, events = Knowledge(api), Events(api, os.environ.get("HOSTNAME", socket.gethostname()))
        injector = Injector(settings, knowledge, events, certificate)
        runners = [await _serve(injector.health(), settings.health_listen, "--health-listen", None)]
        tasks = [asyncio.create_task(work) for work in (knowledge.run(), events.run())]
        try:
            if await _first(stop, [asyncio.create_task(injector.wait_for_files()), *tasks]):
                return
            runners.insert(
                0, await _serve(injector.webhook(), settings.listen, "--listen", certificate.context)
            )
            tasks.append(asyncio.create_task(injector.look_at_files()))
            if await _first(stop, tasks):
                injector.is_draining = True
                await asyncio.sleep(settings.drain_seconds)
        finally:
            for runner in runners:
                await runner.cleanup()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _first(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> bool:
    """Wait until told to stop (true) or until a task is done (false), which raises what it raised.

    A task that was to run for ever and ends is a defect: better a restart than a replica that has stopped listening.
    """
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
    if not stop.is_set():
        stopped.cancel()
    return stop.is_set()


async def _serve(
    app: web.Application, where: str, option: str, context: ssl.SSLContext | None
) -> web.AppRunner:
    host, port = address_of(where, option)
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, keepalive_timeout=KEEPALIVE_SECONDS
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=context, reuse_port=False, backlog=512)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise CannotStart(f"{option}: can't listen on {where}: {error.strerror or error}") from None
    # With port 0 nobody else knows it.
    _log.info("%s listens on %s", option, ", ".join(f"{name[0]}:{name[1]}" for name in runner.addresses))
    return runner


def _installation(settings: Settings) -> Installation:
    return Installation(
        version=VERSION,
        sidecar_image=settings.sidecar_image,
        collector=settings.collector,
        pull_policy=settings.image_pull_policy,
        environment=settings.environment,
        token=settings.token,
        excluded_namespaces=frozenset(settings.excluded_namespaces),
    )


def _access(settings: Settings) -> Access:
    if settings.api_server:
        return Access(settings.api_server, settings.api_token_file, settings.api_ca_file)
    access = Access.in_cluster()
    if access is None:
        raise CannotStart(
            "this is no pod; say where the API server is: --api-server, --api-token-file, --api-ca-file"
        )
    return access
