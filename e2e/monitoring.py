"""Debian's Prometheus and Alertmanager as processes, and who hears of alerts."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml
from cluster.testing.waiting import eventually
from harness import free_port
from prometheus_programs import program


class Server:
    """One of the two; its configuration is a file that is read again by `reload`."""

    def __init__(self, name: str, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [program(name), f"--web.listen-address={self.address}", *options]

    def start(self, ready: int = 200) -> None:
        """`ready`: what it answers then; 401 where it asks who asks."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stderr=log, stdout=log)
        eventually(f"{self._command[0]} to be ready", lambda: self._answers(ready), 120)

    def _answers(self, status: int) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == status
        except httpx.TransportError:
            return False

    def reload(self) -> None:
        answer = httpx.post(f"{self.url}/-/reload", trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)


def alertmanager(folder: Path) -> Server:
    """With a configuration that has one receiver, `own`, for everything."""
    (folder / "alertmanager").mkdir(parents=True, exist_ok=True)
    write_alertmanager(folder, {})
    return Server(
        "prometheus-alertmanager",
        folder / "alertmanager",
        f"--config.file={folder / 'alertmanager' / 'config.yaml'}",
        f"--storage.path={folder / 'alertmanager' / 'data'}",
        "--cluster.listen-address=",
    )


def write_alertmanager(folder: Path, fragment: dict[str, Any]) -> None:
    """Its owner's configuration joined with a policy's fragment, as docs/guide/alerts.md says."""
    part = dict(fragment)
    routes = [part.pop("route")] if "route" in part else []
    whole = {
        "route": {"receiver": "own", "routes": routes},
        "receivers": [{"name": "own"}, *part.pop("receivers", [])],
        **part,
    }
    (folder / "alertmanager" / "config.yaml").write_text(yaml.safe_dump(whole))


def prometheus(folder: Path, alertmanager: str, target: str, *options: str) -> Server:
    """Scrapes one collector every second, and reads rules from `folder/rules`."""
    rules = folder / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus").mkdir(exist_ok=True)
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules / "*.yaml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": "collector", "honor_labels": True, "static_configs": [{"targets": [target]}]}
        ],
    }
    file = folder / "prometheus" / "config.yaml"
    file.write_text(yaml.safe_dump(configuration))
    return Server(
        "prometheus",
        folder / "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus' / 'data'}",
        "--web.enable-lifecycle",
        *options,
    )


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's URL, and the messages that came."""
    messages: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", messages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
