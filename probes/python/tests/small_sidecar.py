"""A sidecar in miniature: accepts probes, keeps each hello and its table, sends requests, collects answers."""

import contextlib
import json
import os
import socket
import threading
import time
from dataclasses import dataclass, field

from memwarden_sidecar.sources.probe_table import ProbeTable

PATIENCE = 120.0
"""Seconds that a condition may take to come true: generous, a busy machine is no failure."""


def wait_for(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


@dataclass
class Peer:
    """One connection of one process."""

    link: socket.socket
    hello: dict | None = None
    table: ProbeTable | None = None
    folders: dict = field(default_factory=dict)
    """Descriptors of what came beside the table, by hello's names."""
    messages: list = field(default_factory=list)
    ended: bool = False

    @property
    def pid(self):
        return self.hello["params"]["pid"]

    @property
    def said_goodbye(self):
        return any(message.get("method") == "goodbye" for message in self.messages)

    def send(self, message):
        self.link.sendall(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def ask(self, method, number, **params):
        self.send({"id": number, "method": method, "params": params})
        return wait_for(
            lambda: next((m for m in self.messages if m.get("id") == number and "method" not in m), None),
            f"an answer to {method}",
        )


class Listener:
    def __init__(self, path, average_bytes=None):
        self.path = str(path)
        self.average_bytes = average_bytes
        self.peers = []
        self.greeting = []  # requests sent to each peer after its hello
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(self.path)
        self._door.listen(64)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        # The door first, and its thread to its end: who is let in a moment later would stay open.
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        self._door.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.link.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(PATIENCE)
        for peer in self.peers:
            peer.link.close()
            if peer.table is not None:
                peer.table.close()
            for folder in peer.folders.values():
                os.close(folder)

    def _accept(self):
        while True:
            try:
                link, _ = self._door.accept()
            except OSError:
                return
            peer = Peer(link)
            self.peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer):
        rest = b""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(peer.link, 65536, 4)
            except OSError:
                break
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._take(peer, json.loads(line), fds)
        peer.ended = True

    def _take(self, peer, message, fds):
        peer.messages.append(message)
        if message.get("method") == "hello":
            names = message["params"].get("descriptors", ["table"])
            peer.folders = dict(zip(names, fds, strict=False))
            if "table" in peer.folders:
                peer.table = ProbeTable.from_fd(peer.folders.pop("table"))
            result = {} if self.average_bytes is None else {"average_bytes": self.average_bytes}
            with contextlib.suppress(OSError):
                peer.send({"id": message["id"], "result": result})
                for request in self.greeting:
                    peer.send(request)
            peer.hello = message

    def peer(self, pid=None, number=0):
        """The ``number``-th process that said hello (with this pid), waited for."""

        def find():
            said = [p for p in self.peers if p.hello is not None and pid in (None, p.pid)]
            return said[number] if len(said) > number else None

        return wait_for(find, f"hello number {number} of process {pid or 'any'}")
