"""`--listen`: containers, each with a process namespace of its own, as the pods of a cluster have them.

Those that need namespaces and other users need root (mark `system`). What a hostile container can send is tried
without it: this process hands over descriptors of its own.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from waiting import wait_for

from memwarden_api import names

POD = "k8s.namespace.name=shop,k8s.pod.name=web-1,k8s.pod.uid=3f2a9c1e-77,k8s.deployment.name=web"
PROBE = Path(__file__).parents[2] / "probes" / "python"
APP_USER = 10001
NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]

GROWING = """
import time
kept = []
def leak():
    for _ in range(50):
        kept.append(bytearray(20_000))
while len(kept) < 3000:
    leak()
    time.sleep(0.01)
while True:
    [str(number) for number in range(1000)]
    time.sleep(0.05)
"""


def only_child(pid: int) -> int:
    """Of `unshare --fork`, once it has forked."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return int(wait_for(lambda: children.read_text().split(), what=f"a child of process {pid}")[0])


class Pod:
    """A sidecar that listens for the containers of one pod, in a folder that other users may enter."""

    def __init__(
        self, folder: Path, url: str, containers: str, *options: str, in_namespace: bool = False
    ) -> None:
        self.folder, self.log = folder / "run", folder / "sidecar.log"
        self.folder.mkdir(mode=0o777)
        self.folder.chmod(0o777)
        command = [sys.executable, "-m", "memwarden_sidecar", "--listen", str(self.folder)]
        command += [
            "--containers",
            containers,
            "--collector",
            url,
            "--interval",
            "0.2",
            "--log-level",
            "info",
            "--ready-file",
            str(folder / "ready"),
        ]
        # As in a pod: a process namespace of its own, and no rights over processes of other users.
        own = [*NAMESPACE, "setpriv", "--bounding-set=-all", "--inh-caps=-all"] if in_namespace else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*own, *command, *options],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=os.environ | {names.ENV_RESOURCE: POD},
            )
        self._in_namespace = in_namespace
        self.socket = self.folder / containers.split(",")[0] / "probe.sock"
        ready = folder / "ready"
        wait_for(lambda: ready.exists() or self.process.poll() is not None, what="the ready file")

    def stop(self) -> int:
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(60)

    @property
    def pid(self) -> int:
        """The sidecar's, seen from here."""
        return only_child(self.process.pid) if self._in_namespace else self.process.pid

    def counts(self) -> dict[str, int]:
        assert self.stop() == 0, self.log.read_text()
        return json.loads(re.findall(r"ended; (\{.*\})", self.log.read_text())[-1])

    def descriptors(self) -> list[str]:
        found = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{self.pid}/fd/{name}"))
            except OSError:
                continue
        return found


@pytest.fixture
def place():
    """A folder that other users can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="memwarden-pod-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def pod(place, receiver):
    made = []

    def start(containers: str = "app", *options: str, **more) -> Pod:
        made.append(Pod(place, receiver.url, containers, *options, **more))
        return made[-1]

    yield start
    receiver.released.set()
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


def scopes(receiver, container: str = "app") -> list[str]:
    """Ids of the container's lives, in the order in which they were seen."""
    found = (one for one in receiver.resources() if one.get(names.K8S_CONTAINER) == container)
    return list(dict.fromkeys(one[names.SCOPE_ID] for one in found))


# ── What a hello may bring ───────────────────────────────────────────────────────────────────────────────


def folder(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


@pytest.mark.parametrize(
    ("named", "paths", "reason"),
    [
        (["proc"], ["/tmp"], "bad-proc"),
        (["proc"], ["/proc/self"], "bad-proc"),
        (["proc"], ["/proc/sys"], "bad-proc"),
        (["proc"], ["/sys"], "bad-proc"),
        (["cgroup"], ["/sys"], "no-proc"),
        (["proc", "cgroup"], [], "no-proc"),
        (["proc", "proc"], ["/proc", "/proc"], "bad-hello"),
        (["table", "everything"], ["/proc", "/proc"], "bad-hello"),
    ],
)
def test_a_folder_that_is_no_proc_closes_its_connection_and_stays_open_nowhere(
    pod, fake_probe, named, paths, reason
):
    running = pod()
    probe = fake_probe(running.socket)
    descriptors = [folder(path) for path in paths]
    probe.hello(*descriptors, descriptors=named, proc_pid=os.getpid())
    for descriptor in descriptors:
        os.close(descriptor)
    assert probe.is_hung_up_on()
    assert not set(running.descriptors()) & {"/tmp", "/proc", "/proc/sys", "/sys"}
    assert running.counts()[f"refused:{reason}"] == 1


def test_a_cgroup_that_is_none_is_left_out_and_the_process_is_watched(pod, fake_probe, receiver):
    running = pod()
    probe = fake_probe(running.socket)
    proc, none = folder("/proc"), folder("/tmp")
    probe.hello(proc, none, descriptors=["proc", "cgroup"], proc_pid=os.getpid())
    os.close(proc)
    os.close(none)
    assert probe.answer()["id"] == 1
    wait_for(lambda: os.getpid() in receiver.processes(), what="the process")
    assert running.stop() == 0


def test_in_a_shared_process_namespace_only_those_who_call_are_watched(pod, fake_probe, receiver):
    running = pod("app,other")
    probe = fake_probe(running.socket)
    proc = folder("/proc")
    # The kernel says who dials: a claimed id is not believed.
    probe.hello(proc, descriptors=["proc"], proc_pid=1)
    os.close(proc)
    probe.answer()
    found = wait_for(lambda: receiver.processes().get(os.getpid()), what="the process")
    assert 1 not in receiver.processes()
    assert found[names.SCOPE_KIND] == names.SCOPE_KIND_CONTAINER
    assert found[names.SCOPE_ID] == "shop/web-1/app@3f2a9c1e-shared"
    assert found[names.SERVICE_NAME] == "web"
    assert found["k8s.deployment.name"] == "web"
    assert running.stop() == 0


def test_who_calls_follows_from_the_socket(pod, fake_probe, receiver):
    running = pod("app,other")
    assert {path.name for path in running.folder.iterdir()} == {"app", "other"}
    assert all(path.stat().st_mode & 0o7777 == 0o1777 for path in running.folder.iterdir())
    probe = fake_probe(running.folder / "other" / "probe.sock")
    proc = folder("/proc")
    probe.hello(proc, descriptors=["proc"], proc_pid=os.getpid(), container="app")
    os.close(proc)
    wait_for(lambda: scopes(receiver, "other"), what="the scope of the other container")
    assert scopes(receiver, "app") == []
    assert running.stop() == 0


def test_a_probe_that_names_no_container_is_told_off_in_the_log(pod, fake_probe):
    running = pod()
    probe = fake_probe(running.socket)
    probe.hello()
    assert probe.is_hung_up_on()
    assert running.counts()["refused:no-proc"] == 1


def test_listen_without_a_pod_or_with_a_socket_is_refused_in_words(tmp_path):
    def said(*options: str, **environment: str) -> str:
        command = [sys.executable, "-m", "memwarden_sidecar", "--collector", "http://127.0.0.1:1", *options]
        ended = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | environment, check=False, timeout=240
        )
        assert ended.returncode == names.EXIT_FAILED
        return ended.stderr

    here = str(tmp_path)
    assert "k8s.pod.uid" in said("--listen", here, "--containers", "app", OTEL_RESOURCE_ATTRIBUTES="a=b")
    assert "--containers is missing" in said("--listen", here, OTEL_RESOURCE_ATTRIBUTES=POD)
    assert "neither --socket" in said("--listen", here, "--socket", "/x", OTEL_RESOURCE_ATTRIBUTES=POD)
    gone = ("--listen", here + "/gone", "--containers", "app")
    assert "folder does not exist" in said(*gone, OTEL_RESOURCE_ATTRIBUTES=POD)


# ── Real namespaces, other users ─────────────────────────────────────────────────────────────────────────


class Life:
    """One life of a container: process 1 of a process namespace with its own /proc, as another user."""

    def __init__(self, program: str, socket_path: Path, probe: Path) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            names.ENV_SOCKET: str(socket_path),
            names.ENV_CONTAINER: socket_path.parent.name,
            names.ENV_SAMPLING_BYTES: "16384",
            "PYTHONPATH": str(probe / "inject"),
        }
        privileges = ["setpriv", f"--reuid={APP_USER}", f"--regid={APP_USER}", "--clear-groups"]
        command = [*NAMESPACE, *privileges, "sh", "-c", program]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """As the out-of-memory killer does: process 1 first, and so all of them."""
        os.kill(only_child(self.process.pid), signal.SIGKILL)
        self.process.wait(120)


needs_root = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="process namespaces and other users take root"),
]


def system(test):
    for mark in needs_root:
        test = mark(test)
    return test


@pytest.fixture
def life(place):
    """A container's life; the program is what `sh -c` runs, $PYTHON in it is an interpreter for everybody."""
    if not list((PROBE / "lib").glob("memwarden_hook-*.so")):
        pytest.skip("the Python probe is not built: make setup")
    python = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if os.path.exists(p)), None)
    if python is None:
        pytest.skip("no interpreter that other users may run: apt-get install python3")
    shutil.copytree(
        PROBE, place / "probe", ignore=shutil.ignore_patterns("tests", "__pycache__", "*.partial")
    )
    made = []

    def start(program: str, socket_path: Path) -> Life:
        made.append(Life(program.replace("$PYTHON", python), socket_path, place / "probe"))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def growing(place):
    path = place / "growing.py"
    path.write_text(GROWING)
    return path


def hooked(receiver, scope: str) -> dict | None:
    """Of the one process of a scope that has a table, all that was told last."""
    found = [
        one
        for one in receiver.resources()
        if one[names.SCOPE_ID] == scope and one.get(names.PROBE_STATE) == names.PROBE_STATE_HOOKED
    ]
    return found[-1] if found else None


@system
def test_another_users_processes_in_another_namespace_are_watched_all_of_them(pod, life, growing, receiver):
    running = pod(in_namespace=True)
    # A shell stays process 1: it has no probe, and is seen all the same.
    life(f"$PYTHON {growing} & sleep 1000 & wait", running.socket)
    (scope,) = wait_for(lambda: scopes(receiver), what="the scope")
    told = wait_for(lambda: hooked(receiver, scope), what="the probe")
    pid = told[names.PROCESS_PID]
    assert 1 < pid < 100  # the namespace's own number
    wait_for(lambda: (receiver.last(names.HEAP_LIVE, pid) or 0) > 40e6, what="the heap")
    wait_for(lambda: (receiver.last(names.PROCESS_MEMORY_USAGE, pid) or 0) > 40e6, what="its size")
    programs = wait_for(
        lambda: len(found := receiver.processes()) >= 3 and found, what="the shell and its children"
    )
    assert {1, pid} < set(programs)
    assert any("sleep 1000" in one[names.PROCESS_COMMAND_LINE] for one in programs.values())
    assert receiver.last(names.PROCESS_COUNT) >= 3
    assert told[names.PROCESS_RUNTIME_NAME] == "cpython"
    assert told[names.PROCESS_EXECUTABLE_PATH].startswith("/usr/")  # its own word: the link can't be read
    assert running.stop() == 0


@system
def test_a_container_that_is_killed_leaves_its_evidence_marked_as_ended_and_its_next_life_is_another_scope(
    pod, life, growing, receiver
):
    # No tick comes between: all that arrives at the end is the last sight.
    running = pod("app", "--interval", "30", in_namespace=True)
    first = life(f"exec $PYTHON {growing}", running.socket)
    wait_for(lambda: "/proc" in running.descriptors(), what="the container's /proc")
    time.sleep(1.5)  # the heap grows; how far does not matter
    first.kill()

    def ended() -> dict | None:
        return next((one for one in receiver.resources() if names.PROCESS_ENDED in one), None)

    told = wait_for(ended, what="the end")
    assert told[names.PROCESS_PID] == 1
    assert told[names.PROCESS_ENDED] == pytest.approx(time.time(), abs=60)
    wait_for(receiver.profiles, what="the last profile")
    assert receiver.last(names.HEAP_LIVE, 1) > 1e6
    wait_for(lambda: "/proc" not in running.descriptors(), what="the folders to be given back")
    assert not [link for link in running.descriptors() if link.startswith(("/sys/fs/cgroup", "/memfd:"))]

    life(f"exec $PYTHON {growing}", running.socket)
    wait_for(lambda: "/proc" in running.descriptors(), what="the next life")
    assert running.stop() == 0
    wait_for(lambda: len(scopes(receiver)) == 2, what="a scope of its own")


@system
def test_a_namespace_below_that_of_the_container_is_refused_and_seen_from_outside(
    pod, life, growing, receiver
):
    running = pod("app", "--log-level", "debug", in_namespace=True)
    nested = f"unshare --user --map-root-user --pid --fork --mount-proc $PYTHON {growing}"
    life(f"$PYTHON {growing} & sleep 3; {nested}; sleep 1000", running.socket)
    wait_for(lambda: any(one > 1 for one in receiver.processes()), what="the first program")

    def second() -> bool:
        lines = [one.get(names.PROCESS_COMMAND_LINE, "") for one in receiver.processes().values()]
        return sum("growing.py" in line and "unshare" not in line for line in lines) >= 2

    try:
        wait_for(second, 20, what="the nested program, from outside")
    except AssertionError:
        pytest.skip("user namespaces are not allowed to others here")
    wait_for(lambda: "below that of its container" in running.log.read_text(), what="the refusal")
    assert running.counts().get("refused:nested-namespace", 0) >= 1
    assert len(scopes(receiver)) == 1


@system
def test_strangers_that_claim_processes_do_not_stop_the_container(pod, life, growing, receiver, fake_probe):
    running = pod(in_namespace=True)
    strangers = [fake_probe(running.socket) for _ in range(16)]
    proc = folder("/proc")
    for number, stranger in enumerate(strangers):
        stranger.hello(proc, descriptors=["proc"], proc_pid=10_000_000 + number)
    os.close(proc)
    for stranger in strangers:
        stranger.close()
    life(f"exec $PYTHON {growing}", running.socket)
    wait_for(lambda: 1 in receiver.processes(), what="the container")
    assert running.stop() == 0
