"""Real servers with workers, under load, without the probe and with it: same answers, same end, every worker known.

Each model is a way of making worker processes. The first ones run in `make test`, all of them, and three on every
other version, in `make test-system`.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import interpreters
import pytest
from server_environment import python_with
from small_sidecar import wait_for

SERVERS = Path(__file__).resolve().parent / "servers"
ENOUGH = 40
"""Leaks of each worker, of 20 000 bytes."""
PATIENCE = 240.0
GUNICORN = ("-m", "gunicorn", "--workers", "2", "--log-level", "warning", "--bind", "127.0.0.1:{port}")
MODELS = {
    "gunicorn preload": (*GUNICORN, "--preload", "service:application"),
    "uvicorn": (
        "-m",
        "uvicorn",
        "--workers",
        "2",
        "--log-level",
        "warning",
        "--port",
        "{port}",
        "service:asgi",
    ),
    "gunicorn threads": (*GUNICORN, "--worker-class", "gthread", "--threads", "4", "service:application"),
    "gunicorn sync": (*GUNICORN, "service:application"),
    "gunicorn gevent": (*GUNICORN, "--worker-class", "gevent", "service:application"),
    "gunicorn gevent preload": (*GUNICORN, "--worker-class", "gevent", "--preload", "service:application"),
    "gunicorn uvicorn": (*GUNICORN, "--worker-class", "uvicorn.workers.UvicornWorker", "service:asgi"),
    "gunicorn short-lived": (*GUNICORN, "--max-requests", "2000", "service:application"),
}
# Built from its source by the C compiler: a minute and more for each interpreter, so the second one by night.
UWSGI = ("--master", "--workers", "2", "--http-socket", "127.0.0.1:{port}", "--wsgi-file", "service.py")
UWSGI = (*UWSGI, "--die-on-term", "--disable-logging")
UWSGI_MODELS = {
    "uwsgi preload": UWSGI,
    "uwsgi preload, threads": (*UWSGI, "--enable-threads"),
    "uwsgi": (*UWSGI, "--lazy-apps"),
}
IN_EVERY_RUN = [
    ("gunicorn preload", "3.11"),
    ("gunicorn preload", "3.13"),
    ("uvicorn", "3.13"),
    ("gunicorn threads", "3.11"),
]
ON_EVERY_VERSION = ("gunicorn preload", "uvicorn", "gunicorn gevent")


def cases():
    for name in MODELS:
        for version in interpreters.HOOKED:
            if version in interpreters.REQUIRED or name in ON_EVERY_VERSION:
                marks = [] if (name, version) in IN_EVERY_RUN else [pytest.mark.system]
                yield pytest.param(name, version, marks=marks, id=f"{name}-{version}")


class Server:
    """A server in a session of its own, and what it answered."""

    def __init__(self, command, environment, folder):
        # Bound until the end and not listened on: with SO_REUSEADDR, which servers set, this one alone can have it.
        self.reserved = socket.socket()
        self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.reserved.bind(("127.0.0.1", 0))
        self.port = self.reserved.getsockname()[1]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [part.format(port=self.port) for part in command], env=environment, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(self._answers, "an answer", PATIENCE)

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/who")
        return None

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        headers = sorted(
            (name.lower(), value) for name, value in response.getheaders() if name.lower() != "date"
        )
        return response.status, headers, body

    def who(self):
        return json.loads(self.get("/who")[2])

    def load(self):
        """Answers to the same questions, in order; then leaks until each of two workers has enough of them."""
        answers = [self.get(f"/work/{number}") for number in range(60)]
        answers.append(self.get("/leak"))
        workers = {}
        end = time.monotonic() + PATIENCE
        while len(workers) < 2 or min(one["leaked"] for one in workers.values()) < ENOUGH:
            assert time.monotonic() < end, workers
            for _ in range(10):
                assert self.get("/leak") == answers[-1]
            one = self.who()
            workers[one["pid"]] = one
        # What a worker said of itself is older than the last leaks; one that is gone since has nothing to add.
        asked, heard = 0, set()
        while heard != workers.keys() and asked < 200:
            one, asked = self.who(), asked + 1
            if one["pid"] in workers:
                workers[one["pid"]] = one
                heard.add(one["pid"])
        return answers, workers

    def states(self):
        """Of all processes of its session."""
        found = Counter()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.process.pid:
                    found[fields[0]] += 1
        return found

    def end(self):
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reserved.close()


@pytest.fixture
def serve(environment, tmp_path):
    started = []

    def start(command, probed):
        folder = tmp_path / ("probed" if probed else "plain")
        shutil.copytree(SERVERS, folder)
        variables = {**environment, "MEMWARDEN_SAMPLING_BYTES": "2048", "PYTHONUNBUFFERED": "1"}
        if not probed:
            variables = {
                k: v for k, v in variables.items() if k != "PYTHONPATH" and not k.startswith("MEMWARDEN_")
            }
        server = Server(command, variables, folder)
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()


def line_of(file, text):
    lines = (SERVERS / file).read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, start=1) if text in line)
    return number


def total(table, function, line=None):
    """Own and inherited bytes of a function's own lines (or one of them) in the service or the tasks."""
    own = inherited = 0.0
    for site in table.read_sites():
        file, name, at = site.frames[0] if site.frames else ("", "", 0)
        if file.endswith(("service.py", "tasks.py")) and name == function and line in (None, at):
            own += site.bytes
            inherited += site.inherited_bytes
    return own, inherited


@pytest.mark.parametrize(("name", "version"), list(cases()))
def test_a_server_is_the_same_and_each_worker_is_known(serve, listener, name, version):
    compare(serve, listener, name, [python_with("servers", version), *MODELS[name]])


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(version, marks=mark)
        for version, mark in zip(
            interpreters.REQUIRED, (pytest.mark.system, pytest.mark.nightly), strict=True
        )
    ],
)
@pytest.mark.parametrize("name", UWSGI_MODELS)
def test_uwsgi_is_the_same_and_each_worker_is_known(serve, listener, name, version):
    python = Path(python_with("uwsgi", version))
    command = [str(python.with_name("uwsgi")), "--virtualenv", str(python.parent.parent), *UWSGI_MODELS[name]]
    compare(serve, listener, name, command)


def compare(serve, listener, name, command):
    plain = serve(command, probed=False)
    answers, workers_before = plain.load()
    states, code = plain.states(), plain.end()

    server = serve(command, probed=True)
    answers_with_us, workers = server.load()
    assert answers_with_us == answers
    wait_for(lambda: server.states()["Z"] <= states["Z"], "the end of each zombie")
    assert [one["ours"] for one in workers.values()] == [[], []]
    if "threads" not in name:  # how many of a pool have been needed is a matter of chance
        assert {(one["threads"], one["tasks"]) for one in workers.values()} == {
            (one["threads"], one["tasks"]) for one in workers_before.values()
        }
    for pid, one in workers.items():
        check_worker(listener, one, server.process.pid, is_preloaded="preload" in name)
        assert listener.peer(pid).hello["params"]["reason"] == ""
    assert server.end() == code, server.log.read_text()


SEND = """
import json, sys, time, tasks
answers, workers, end = [], {}, time.monotonic() + 240
while len(workers) < 2 or min(workers.values()) < 40:
    sent = [tasks.leak.delay(number) for number in range(20)]
    for one in sent:
        square, pid, parent, leaked = one.get(timeout=60)
        answers.append(square)
        workers[pid] = max(leaked, workers.get(pid, 0))
    assert time.monotonic() < end, workers
print(json.dumps([answers[:20], parent, workers]))
"""


@pytest.mark.system
@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_celery_is_the_same_and_each_worker_is_known(environment, listener, tmp_path, version):
    python = python_with("servers", version)
    command = [python, "-m", "celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "WARNING"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    plain = {k: v for k, v in environment.items() if k != "PYTHONPATH" and not k.startswith("MEMWARDEN_")}
    ended = []
    for name, variables in (
        ("plain", plain),
        ("probed", {**environment, "MEMWARDEN_SAMPLING_BYTES": "2048"}),
    ):
        folder = shutil.copytree(SERVERS, tmp_path / name)
        for part in ("queue", "results", "control"):
            (folder / part).mkdir()
        told = {"TASKS_FOLDER": str(folder)}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, env=variables | told, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            client = subprocess.run(
                [python, "-c", SEND],
                env=plain | told,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=400,
                check=False,
            )
            assert client.returncode == 0, client.stderr + (folder / "log").read_text()
            answers, parent, workers = json.loads(client.stdout)
            if name == "probed":
                for pid, leaked in workers.items():
                    table = listener.peer(int(pid)).table
                    assert table.read_header().parent_pid == parent == process.pid
                    own, inherited = total(table, "leak", line_of("tasks.py", "# the leak"))
                    assert (own, inherited) == (pytest.approx(leaked * 20_033, rel=0.2), 0)
            process.terminate()
            ended.append((answers, process.wait(PATIENCE)))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert ended[1] == ended[0]


def check_worker(listener, worker, master, is_preloaded):
    table = listener.peer(worker["pid"]).table
    header = table.read_header()
    assert (header.pid, header.parent_pid) == (worker["pid"], worker["parent"])
    assert worker["parent"] == master
    own, inherited = total(table, "leak", line_of("service.py", "# the leak"))
    assert inherited == 0
    assert own == pytest.approx(worker["leaked"] * 20_033, rel=0.2)
    own, inherited = total(table, "prepared")
    if is_preloaded:
        assert (own, inherited) == (pytest.approx(0, abs=50_000), pytest.approx(200 * 20_033, rel=0.1))
        assert total(listener.peer(master).table, "prepared")[0] == pytest.approx(200 * 20_033, rel=0.1)
    else:
        assert (own, inherited) == (pytest.approx(200 * 20_033, rel=0.1), 0)
