"""TLS at the doors, with certificates of an authority of the test's own."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import collector_requests as otlp
import grpc
import httpx
import pytest
from certificates import Authority
from collector_processes import Collector
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub

from memwarden_collector.access.certificate import Certificate, expires
from memwarden_collector.errors import CertificateUnusable
from memwarden_collector.settings import Tls
from memwarden_collector.telemetry import Telemetry
from memwarden_sidecar.export.batch import Batch, Kind, compress
from memwarden_sidecar.export.destination import Destination
from memwarden_sidecar.export.transport import Transport, Verdict

DAY = 86_400


def served(url: str, authority: Authority) -> tuple[int, str]:
    """Serial number of the certificate that is shown, and the version of TLS."""
    context = ssl.create_default_context(cadata=authority.pem)
    host, port = url.removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        certificate = tls.getpeercert()
        assert certificate is not None
        return int(str(certificate["serialNumber"]), 16), str(tls.version())


@pytest.fixture
def with_tls(start: Any, database_url: str, tmp_path: Path) -> Callable[..., Collector]:
    def begin(authority: Authority, *options: str) -> Collector:
        certificate, key = authority.sign(tmp_path)
        collector: Collector = start(
            database_url, "--tls-cert-file", str(certificate), "--tls-key-file", str(key), *options
        )
        return collector

    return begin


def test_a_certificate_is_exchanged_under_load_and_no_request_is_lost(
    with_tls: Callable[..., Collector], tmp_path: Path
) -> None:
    authority = Authority()
    trust = authority.write(tmp_path)
    collector = with_tls(authority, "--grpc-listen", "127.0.0.1:0", "--trust-file", str(trust))
    assert collector.url.startswith("https://")
    before, version = served(collector.url, authority)
    assert version == "TLSv1.3"
    context = ssl.create_default_context(cadata=authority.pem)
    answers: list[int] = []
    ending = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=collector.url, verify=context, timeout=120, trust_env=False) as kept:
            while not ending.is_set():
                answers.append(otlp.post_metrics(kept, otlp.metrics("run-tls", time.time())).status_code)
                with httpx.Client(
                    base_url=collector.url, verify=context, timeout=120, trust_env=False
                ) as fresh:
                    answers.append(fresh.get("/healthz").status_code)

    sender = threading.Thread(target=load)
    sender.start()
    try:
        authority.sign(tmp_path)
        until = time.monotonic() + 60
        while served(collector.url, authority)[0] == before:
            assert time.monotonic() < until, "the new certificate is not served"
            time.sleep(0.2)
        more = len(answers) + 4
        while len(answers) < more:
            assert time.monotonic() < until + 60
            time.sleep(0.05)
    finally:
        ending.set()
        sender.join(60)
    assert set(answers) == {200}
    # The gRPC doors show the new one, too.
    credentials = grpc.ssl_channel_credentials(authority.pem.encode())
    with grpc.secure_channel(collector.grpc_address(), credentials) as channel:
        MetricsServiceStub(channel).Export(otlp.metrics("run-tls", time.time()), timeout=60)
    assert served(f"https://{collector.grpc_address()}", authority)[0] == served(collector.url, authority)[0]
    with httpx.Client(base_url=collector.url, verify=context, trust_env=False, timeout=120) as client:
        assert client.get("/api/v1/trust").text == authority.pem
        assert "memwarden_collector_certificate_expiry_seconds" in client.get("/metrics").text
    # And the sidecar gets on with it, and keeps what it is handed.
    sidecar = Transport(Destination(collector.url, ca_file=trust, kept_bundle=tmp_path / "kept.pem"))
    body = otlp.metrics("run-tls", time.time()).SerializeToString()
    outcome = sidecar.post(Batch(otlp.batch_id(), Kind.METRICS, compress(body)))
    sidecar.close()
    assert outcome.verdict is Verdict.TAKEN, outcome
    assert (tmp_path / "kept.pem").read_text() == authority.pem


def test_older_tls_and_plain_text_are_refused(with_tls: Callable[..., Collector]) -> None:
    authority = Authority()
    collector = with_tls(authority, "--grpc-listen", "127.0.0.1:0")
    old = ssl.create_default_context(cadata=authority.pem)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError), httpx.Client(verify=old, trust_env=False, timeout=120) as client:
        client.get(f"{collector.url}/healthz")
    host, _, port = collector.grpc_address().rpartition(":")
    old.set_alpn_protocols(["h2"])
    with pytest.raises(OSError), socket.create_connection((host, int(port)), 30) as raw:
        old.wrap_socket(raw, server_hostname=host)
    with pytest.raises(httpx.TransportError), httpx.Client(trust_env=False, timeout=120) as client:
        client.get(collector.url.replace("https", "http") + "/healthz")
    assert collector.client.get("/api/v1/trust").status_code == 404


def test_a_certificate_without_its_key_is_refused_at_the_start(
    start: Any, database_url: str, tmp_path: Path
) -> None:
    certificate, _ = Authority().sign(tmp_path)
    with pytest.raises(ValueError, match="belong together"):
        Tls(tls_cert_file=certificate)
    with pytest.raises(AssertionError, match=r"can't read .*missing"):
        start(database_url, "--tls-cert-file", str(certificate), "--tls-key-file", str(tmp_path / "missing"))


def test_what_does_not_fit_together_is_said_and_the_old_pair_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority()
    certificate, key = authority.sign(tmp_path)
    telemetry = Telemetry()
    used = Certificate(certificate, key, telemetry)
    pair = used.pair
    foreign, _ = authority.sign(tmp_path, name="foreign")
    certificate.write_bytes(foreign.read_bytes())
    assert not used.look()
    assert "the old certificate stays" in caplog.text
    assert used.pair == pair
    assert handshake(used.context, authority) is not None
    certificate.unlink()
    assert not used.look()
    authority.sign(tmp_path)
    assert used.look()
    assert used.pair != pair
    assert not used.look()
    with pytest.raises(CertificateUnusable, match="not encrypted"):
        Certificate(certificate, foreign, Telemetry())


def handshake(server: ssl.SSLContext, authority: Authority) -> dict[str, Any] | None:
    """The certificate that a server with this context shows."""

    async def connect() -> dict[str, Any] | None:
        async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        listening = await asyncio.start_server(close, "127.0.0.1", 0, ssl=server)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            trust = ssl.create_default_context(cadata=authority.pem)
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
            shown: dict[str, Any] | None = writer.get_extra_info("peercert")
            writer.close()
            await writer.wait_closed()
            return shown

    return asyncio.run(connect())


@pytest.mark.parametrize("days", [-3, 30, 20_000])
def test_the_end_of_a_certificate_is_read(tmp_path: Path, days: int) -> None:
    """Beyond 2049 its date is written in another form."""
    certificate, _ = Authority().sign(tmp_path, days=days)
    assert expires(certificate.read_bytes()) - time.time() == pytest.approx(days * DAY, abs=3600)


@pytest.mark.parametrize(
    "text", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff"]
)
def test_what_is_no_certificate_is_told(text: bytes) -> None:
    with pytest.raises(CertificateUnusable, match="give a PEM chain"):
        expires(text)
