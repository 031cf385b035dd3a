"""Bounds that stand in a real program's code arrive as metrics of the caches that they belong to."""

from pathlib import Path

import pytest
from waiting import wait_for

from memwarden_api import names

SHOP = """
import sys, threading, time

MOST_BYTES = 64 * 1024 * 1024
SESSIONS = {}

class Pages:
    def __init__(self, room):
        self.room = room
        self.pages, self.size = {}, 0
        self.orders = []

    def put(self, key):
        self.pages[key] = bytes(2000) + bytes(key % 7)
        self.size += len(self.pages[key])
        while self.size > MOST_BYTES:
            self.size -= len(self.pages.pop(next(iter(self.pages))))

    def order(self, key):
        self.orders.append([key])
        if len(self.orders) > self.room:
            self.orders.pop(0)

def visit(key):
    now = time.monotonic()
    SESSIONS[key] = {"seen": now, "basket": [key] * 40}
    for name in [name for name, session in SESSIONS.items() if now - session["seen"] > 900.5]:
        del SESSIONS[name]

pages = Pages(50_000)

def serve():
    for key in range(40_000):
        pages.put(key), pages.order(key), visit(key)
        time.sleep(0.02)

threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
BOUNDS = (
    (names.CACHE_BOUND, "__main__.Pages.orders", 50_000),
    (names.CACHE_BOUND_BYTES, "__main__.Pages.pages", 64 << 20),
    (names.CACHE_BOUND_AGE, "__main__.SESSIONS", 900.5),
)


def values(receiver, metric: str, name: str) -> set[float]:
    """Of the points of all requests with this cache's name."""
    return {
        point.as_double if point.WhichOneof("value") == "as_double" else point.as_int
        for request in receiver.metrics()
        for block in request.resource_metrics
        for scope in block.scope_metrics
        for one in scope.metrics
        if one.name == metric
        for point in one.gauge.data_points
        if any(pair.key == names.CACHE_NAME and pair.value.string_value == name for pair in point.attributes)
    }


@pytest.mark.system
def test_entries_bytes_and_ages_that_a_program_keeps_to_are_told(
    sidecar, receiver, app, probe_env, tmp_path: Path
) -> None:
    """Some twenty seconds: a census, another that sees what has grown, and names that are known from the second on."""
    shop = tmp_path / "shop.py"
    shop.write_text(SHOP)
    run = sidecar("--interval", "0.25", "--profile-interval", "1")
    one = app(
        f"exec(compile(open({str(shop)!r}).read(), {str(shop)!r}, 'exec'))",
        env=probe_env(run.socket, sampling=4096),
    )
    one.line()
    for metric, name, most in BOUNDS:
        found = wait_for(
            lambda metric=metric, name=name: values(receiver, metric, name), what=f"{metric} of {name}"
        )
        assert found == {most}, name
        assert len(values(receiver, names.CACHE_ENTRIES, name)) >= 1
