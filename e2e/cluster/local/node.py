"""The node: a network, process and mount namespace, held by one process.

That process is number 1 of its process namespace. When it ends, the kernel ends every other process in there,
containers included, and with the last of them the mounts go; so taking a node down is one signal, whatever
had gone wrong in it, and there are no process ids in files that could be stale. The process is found again by
the path of its executable, which is in the cluster's own folder.

Over the machine's /run, /var/lib and /var/log the node has its own, so that containerd, kubelet and the CNI
plugins can use their usual paths without leaving anything on the machine. The network namespace has a name in
/run/netns, by which tests enter it.
"""

import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.errors import ClusterError, NotReady

from . import cgroups

HOSTNAME = "node-1"
ADDRESS = "10.245.0.1"
NAMESPACES = Path("/run/netns")
OWN_FOLDERS = ("var/lib", "var/log")
START_SECONDS = 10.0
END_SECONDS = 30.0

# The shell ends at once and its child gets another parent: nobody has to wait for it, and nothing of ours
# stays on the way to it. $1 is the file that it writes to.
_IN_BACKGROUND = ("sh", "-c", 'log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null &', "sh")
# $1 is the node's own root, $2 its init. /run is memory, as on any machine.
_PREPARE = """
set -e
for folder in {folders}; do mount --bind "$1/$folder" "/$folder"; done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
hostname {hostname}
exec "$2"
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One node by its name; whether it is there is always asked of the kernel."""

    name: str
    state: Path

    @property
    def root(self) -> Path:
        """The folders that the node sees as /var/lib and /var/log."""
        return self.state / "root"

    @property
    def logs(self) -> Path:
        """Where the components write."""
        return self.root / "var" / "log"

    @property
    def _init(self) -> Path:
        return self.state / "node-init"

    @property
    def network(self) -> Path:
        return NAMESPACES / self.name

    # ---------------------------------------------------------------- there or not

    def find(self) -> int | None:
        """Return the id of the process that holds the node, as this machine counts."""
        wanted = str(self._init)
        for process in _processes():
            # A removed file gets " (deleted)" appended by the kernel.
            if _link(process, "exe").removesuffix(" (deleted)") == wanted:
                return process
        return None

    def programs(self) -> set[str]:
        """Return the names of the programs that run in the node, containers included."""
        return {_program(process) for process in self._inside()}

    def process(self, program: str) -> int:
        """Return the id of a program of the node, as this machine counts."""
        for process in self._inside():
            if _program(process) == program:
                return process
        raise ClusterError(f"no {program} runs on the node: `make cluster`")

    def _inside(self) -> Iterator[int]:
        holder = self.find()
        if holder is not None:
            inside = _link(holder, "ns/pid")
            yield from (process for process in _processes() if _link(process, "ns/pid") == inside)

    # ---------------------------------------------------------------- in and out

    def create(self, init: Path) -> None:
        """Make the node; what an earlier one left behind is removed first."""
        self.destroy()
        for folder in OWN_FOLDERS:
            (self.root / folder).mkdir(parents=True)
        shutil.copy2(init, self._init)
        cgroups.create(self.name)
        run("ip", "netns", "add", self.name)
        script = _PREPARE.format(folders=" ".join(OWN_FOLDERS), hostname=HOSTNAME)
        run(
            *(*self.in_network, *_IN_BACKGROUND, str(self.state / "node.log")),
            *("unshare", "--fork", "--pid", "--mount", "--uts", "--mount-proc"),
            *("sh", "-c", script, "sh", str(self.root), str(self._init)),
        )
        deadline = time.monotonic() + START_SECONDS
        while self.find() is None:
            if time.monotonic() > deadline:
                raise NotReady(
                    "the start of the node's first process", START_SECONDS, self.state / "node.log"
                )
            time.sleep(0.01)

    def configure_network(self, services: str) -> None:
        """Give the node its address and its routes; what is there stays."""
        run(*self.in_network, "ip", "link", "set", "lo", "up")
        # On lo, since not every kernel has dummy devices; the namespace has no way out of the machine.
        run(*self.in_network, "ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo")
        # The kernel asks for a route before iptables turns a Service's address into a pod's: without one the
        # API server reaches no webhook.
        run(*self.in_network, "ip", "route", "replace", services, "dev", "lo", "src", ADDRESS)
        # Pods reach each other through the node, and what crosses the bridge goes through iptables, where
        # Services are made.
        switches = ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables")
        run(
            *self.in_network, "sh", "-ec", "; ".join(f"echo 1 >/proc/sys/net/{switch}" for switch in switches)
        )

    @property
    def in_network(self) -> list[str]:
        """What to put before a command that shall see the cluster's network and nothing else of the node."""
        # `ip netns exec` would mount a new /sys, without the cgroups.
        return ["nsenter", f"--net={self.network}", "--"]

    @property
    def inside(self) -> list[str]:
        """What to put before a command that shall run on the node."""
        holder = self.find()
        if holder is None:
            raise ClusterError("the cluster is not up: `make cluster`")
        return ["nsenter", f"--target={holder}", "--net", "--mount", "--pid", "--uts", "--"]

    def start(self, *command: str) -> None:
        """Start a program that goes on by itself; it becomes a child of the node's first process."""
        run(*self.inside, *_IN_BACKGROUND, f"/var/log/{Path(command[0]).name}.log", *command)

    # ---------------------------------------------------------------- gone

    def destroy(self) -> None:
        """End and remove everything; does nothing where nothing is."""
        while (holder := self.find()) is not None:
            _kill_and_wait(holder)
        if self.network.exists():
            for process in list(self._guests()):
                _kill_and_wait(process)
            run("ip", "netns", "delete", self.name)
        cgroups.remove(self.name)
        shutil.rmtree(self.state, ignore_errors=True)

    def _guests(self) -> Iterator[int]:
        """Find processes outside of the node that are in its network: tests, port-forwards, a shell."""
        there = self.network.stat()
        for process in _processes():
            try:
                found = os.stat(f"/proc/{process}/ns/net")
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (there.st_dev, there.st_ino) and process != os.getpid():
                yield process

    def leftovers(self) -> list[str]:
        """Name what is there of this node on the machine; empty after `destroy`."""
        left = [f"process {process}" for process in [self.find()] if process is not None]
        if self.network.exists():
            left += [f"namespace {self.network}", *(f"process {process}" for process in self._guests())]
        left += [f"cgroup {group}" for group in cgroups.existing(self.name)]
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        left += [
            f"mount {line.split()[4]}" for line in mounts if line.split()[4].startswith(f"{self.state}/")
        ]
        return left


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _link(process: int, what: str) -> str:
    try:
        return os.readlink(f"/proc/{process}/{what}")
    except OSError:
        return ""  # ended meanwhile, or a zombie


def _program(process: int) -> str:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return Path(os.fsdecode(words[0])).name


def _kill_and_wait(process: int) -> None:
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        # Of the first process of a namespace this says so only when all others are gone too.
        if not select.select([descriptor], [], [], END_SECONDS)[0]:
            raise NotReady(f"the end of process {process}", END_SECONDS)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)
