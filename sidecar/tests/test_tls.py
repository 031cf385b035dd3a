"""Does the sidecar trust whom it should, with what is in its files at that moment, and say what is wrong otherwise?"""

import argparse
import os
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from certificates import Authority

from memwarden_api import names
from memwarden_sidecar.errors import CannotStart
from memwarden_sidecar.export.batch import Batch, BatchIds, Kind, compress
from memwarden_sidecar.export.destination import Destination
from memwarden_sidecar.export.transport import Outcome, Transport, Verdict
from memwarden_sidecar.settings import Settings, add_arguments, from_arguments


class Collector:
    """Takes everything over TLS; `shown` is the certificate, `bundle` what it hands out."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.bundle = ""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                collector.tokens.append(self.headers.get("Authorization", ""))
                self.answer(200, b"")

            def do_GET(self):
                assert self.path == names.TRUST_PATH
                assert "Authorization" not in self.headers
                self.answer(200 if collector.bundle else 404, collector.bundle.encode())

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # who does not trust us hangs up

            def get_request(self):
                plain, address = self.socket.accept()
                return collector.context.wrap_socket(
                    plain, server_side=True, do_handshake_on_connect=False
                ), address

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def show(self, files: tuple[Path, Path]) -> None:
        self.context.load_cert_chain(*files)


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def authority(collector, tmp_path) -> Authority:
    """Signed the collector's certificate."""
    made = Authority("the first one")
    made.write(tmp_path)
    collector.show(made.sign(tmp_path, "localhost"))
    return made


def send(destination: Destination, transport: Transport | None = None) -> Outcome:
    one = transport or Transport(destination)
    outcome = one.post(Batch(BatchIds(time.time).next(), Kind.METRICS, compress(b"")))
    if transport is None:
        one.close()
    return outcome


def test_the_token_is_read_before_each_use(collector, authority, tmp_path):
    token = tmp_path / "token"
    destination = Destination(collector.url, token_file=token, ca_file=tmp_path / "ca.pem")
    transport = Transport(destination)
    for text in ("first", "second"):
        token.write_text(text + "\n")
        assert send(destination, transport).verdict is Verdict.TAKEN
    transport.close()
    assert collector.tokens == ["Bearer first", "Bearer second"]


def test_files_that_come_later_are_found(collector, authority, tmp_path):
    destination = Destination(collector.url, token_file=tmp_path / "token", ca_file=tmp_path / "later.pem")
    outcome = send(destination)
    assert outcome.verdict is Verdict.LATER
    assert "--token-file" in outcome.reason
    assert "projected volume" in outcome.reason
    (tmp_path / "token").write_text("given")
    outcome = send(destination)
    assert outcome.verdict is Verdict.LATER
    assert "later.pem can't be used" in outcome.reason
    authority.write(tmp_path, "later.pem")
    assert send(destination).verdict is Verdict.TAKEN


@pytest.mark.parametrize("text", ["", "to ken", "to\nken", "tökén", "\x00"])
def test_a_file_that_holds_no_token_is_said_and_not_shown(collector, authority, tmp_path, text):
    (tmp_path / "token").write_text(text)
    outcome = send(Destination(collector.url, token_file=tmp_path / "token", ca_file=tmp_path / "ca.pem"))
    assert outcome.verdict is Verdict.LATER
    assert "holds no token" in outcome.reason
    assert not text.strip("\x00") or text not in outcome.reason
    assert not collector.tokens


@pytest.mark.parametrize(
    ("hosts", "days", "says"),
    [
        (("localhost",), -1, "is not valid now"),
        (("collector.memwarden.svc",), 30, "is not for localhost"),
        (("localhost",), 30, "is by nobody whom --ca-file"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(collector, tmp_path, hosts, days, says):
    signer = Authority("signs")
    collector.show(signer.sign(tmp_path, *hosts, days=days))
    (Authority("another") if "nobody" in says else signer).write(tmp_path)
    outcome = send(Destination(collector.url, ca_file=tmp_path / "ca.pem"))
    assert outcome.verdict is Verdict.LATER
    assert says in outcome.reason
    assert not collector.tokens


@pytest.mark.parametrize(
    "text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_holds_no_ca_is_told(collector, authority, tmp_path, text):
    (tmp_path / "wrong.pem").write_text(text)
    outcome = send(Destination(collector.url, ca_file=tmp_path / "wrong.pem"))
    assert outcome.verdict is Verdict.LATER
    assert "wrong.pem" in outcome.reason
    assert "collector's CA as PEM" in outcome.reason


def test_a_collector_without_tls_is_told_from_a_wrong_certificate(receiver, tmp_path):
    Authority().write(tmp_path)
    outcome = send(Destination(f"https://localhost:{receiver.port}", ca_file=tmp_path / "ca.pem"))
    assert outcome.verdict is Verdict.LATER
    assert "speaks no TLS" in outcome.reason


def test_a_pod_outlives_the_ca_that_it_was_born_with(collector, authority, tmp_path):
    """The bundle comes over the trust there is, and is there after a restart of the sidecar."""
    successor = Authority("the second one")
    collector.bundle = authority.pem + successor.pem
    born_with = {"ca_file": tmp_path / "ca.pem", "kept_bundle": tmp_path / "trust.pem"}
    destination = Destination(collector.url, **born_with)
    assert send(destination).verdict is Verdict.TAKEN
    collector.show(successor.sign(tmp_path, "localhost"))
    assert send(destination).verdict is Verdict.TAKEN
    assert send(Destination(collector.url, **born_with)).verdict is Verdict.TAKEN
    assert send(Destination(collector.url, ca_file=tmp_path / "ca.pem")).verdict is Verdict.LATER


def test_a_bundle_that_is_none_changes_nothing(collector, authority, tmp_path):
    collector.bundle = "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"
    destination = Destination(collector.url, ca_file=tmp_path / "ca.pem", kept_bundle=tmp_path / "trust.pem")
    assert send(destination).verdict is Verdict.TAKEN
    assert not (tmp_path / "trust.pem").exists()
    (tmp_path / "trust.pem").write_text("damaged")
    assert send(destination).verdict is Verdict.TAKEN


def settings(tmp_path: Path, *more: str, **environment: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = ["--socket", str(tmp_path / "s"), "--scope-id", "run", "--collector", "https://c:1", *more]
    return from_arguments(parser.parse_args(given), {**os.environ, **environment})


def test_contradictions_are_refused_at_the_start(tmp_path):
    with pytest.raises(CannotStart, match="leave one out"):
        settings(tmp_path, "--token-file", "/t", MEMWARDEN_TOKEN="secret")
    with pytest.raises(CannotStart, match="--ca-file is for https"):
        settings(tmp_path, "--ca-file", "/c", "--collector", "http://c:1")
    with_spool = settings(
        tmp_path, "--ca-file", "/c", "--token-file", "/t", "--spool", "/spool", MEMWARDEN_TOKEN=""
    )
    assert with_spool.kept_bundle == Path("/spool/trust.pem")
    assert '"token_file": "/t"' in with_spool.printable()
