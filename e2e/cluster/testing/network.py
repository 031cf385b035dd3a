"""The network of a local cluster: going into it, and cutting it."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from cluster.commands import run
from cluster.ways import Cluster

_CLONE_NEWNET = 0x40000000
_OWN = Path("/proc/self/ns/net")

# Goes back to where one came from, for the time of a `with`.
Outside = Callable[[], AbstractContextManager[None]]


@contextmanager
def entered(namespace: Path) -> Iterator[Outside]:
    """Have this thread, and all threads and processes that it starts, in another network namespace.

    Sockets keep the namespace in which they were opened. Needs root.
    """
    with _OWN.open() as own, namespace.open() as other:

        @contextmanager
        def outside() -> Iterator[None]:
            _enter(own.fileno())
            try:
                yield
            finally:
                _enter(other.fileno())

        _enter(other.fileno())
        try:
            yield outside
        finally:
            _enter(own.fileno())


def _enter(descriptor: int) -> None:
    # os.setns is there from Python 3.12 on.
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


@contextmanager
def traffic_cut(cluster: Cluster, address: str) -> Iterator[None]:
    """Let nothing through between a pod's address and other pods; the kubelet on the node still reaches it."""
    with _dropped(cluster, ("FORWARD", "--source", address), ("FORWARD", "--destination", address)):
        yield


@contextmanager
def cut_from_api_server(cluster: Cluster, *addresses: str, port: int) -> Iterator[None]:
    """Let nothing of the node through to a port of these pods: a webhook that is called there never answers.

    The kubelet's probes go to another port, so that the pods stay ready, and the Service goes on sending to them.
    """
    to = ("--protocol", "tcp", "--dport", str(port))
    with _dropped(cluster, *(("OUTPUT", "--destination", address, *to) for address in addresses)):
        yield


@contextmanager
def reached_only_by(cluster: Cluster, address: str, port: int, source: str) -> Iterator[None]:
    """Let one other pod through to a pod's port, and no third: as a NetworkPolicy does, where the network knows any."""
    to = ("--destination", address, "--protocol", "tcp", "--dport", str(port))
    with _dropped(cluster, ("FORWARD", *to, "!", "--source", source)):
        yield


@contextmanager
def _dropped(cluster: Cluster, *rules: tuple[str, ...]) -> Iterator[None]:
    # In the node's own network, before conntrack's shortcuts: connections that are open are cut too.
    with ExitStack() as stack:
        for rule in rules:
            run(*cluster.prefix, "iptables", "--wait", "--insert", *rule, "-j", "DROP")
            stack.callback(run, *cluster.prefix, "iptables", "--wait", "--delete", *rule, "-j", "DROP")
        yield
