"""What is summed in the database is what a report sums in Python, on the same recordings."""

import random
import time
from collections import defaultdict
from typing import Any

import collector_requests as otlp
import pytest

from memwarden_collector.settings import Analysis
from memwarden_collector.store import flames
from memwarden_collector.store.connection import Database
from memwarden_collector.store.recordings import RecordingLoader, read_scope
from memwarden_core.code import site_frame
from memwarden_core.recording import Frame, Profile, Recording

FILES = ("app.py", "models.py", "/usr/lib/python3.11/json.py", "<frozen importlib>")


@pytest.fixture
def watched(collector: Any, database_url: str) -> Recording:
    """A run of three processes, of which one ends half-way."""
    generator = random.Random(3)
    ended = time.time()
    stacks = [
        tuple(
            (generator.choice(FILES), generator.randrange(1, 4), "f")
            for _ in range(generator.randrange(1, 7))
        )
        for _ in range(40)
    ]
    for tick in range(0, 60, 2):
        for pid in (100, 101, 102):
            if pid == 102 and tick > 30:
                continue
            at = ended - 60 + tick + pid / 1e4
            assert otlp.post_metrics(collector.client, otlp.metrics("run", at, pid=pid)).is_success
            if tick % 6 == 0:
                cells = [
                    (stack, age, generator.randrange(1 << 20), 2, generator.randrange(1, 9))
                    for stack in generator.sample(stacks, 25)
                    for age in ("1", "inf")
                ]
                request = otlp.profiles("run", at, cells, pid)
                assert otlp.post_profiles(collector.client, request).is_success
    database = Database(database_url)
    recording = RecordingLoader(database, Analysis()).load("run")
    database.close()
    assert recording is not None
    return recording


def chosen(recording: Recording, at: float) -> list[Profile]:
    """The newest profile of each process that lived."""
    found: dict[int, Profile] = {}
    for profile in sorted(recording.profiles, key=lambda one: one.time):
        process = recording.processes[profile.process]
        gone = process.ended and process.last_seen < at - 3 * recording.interval
        if profile.time <= at + recording.interval and not gone:
            found[profile.process] = profile
    return list(found.values())


def by_stack(recording: Recording, at: float) -> dict[tuple[Frame, ...], int]:
    sums: dict[tuple[Frame, ...], int] = defaultdict(int)
    for profile in chosen(recording, at):
        for stack, live in zip(profile.stacks, profile.live_bytes.sum(axis=1), strict=True):
            sums[recording.stacks[stack]] += round(live)
    return dict(sums)


def paths(nodes: list[flames.FlameNode]) -> dict[tuple[Frame, ...], flames.FlameNode]:
    """Nodes by their frames from the root on."""
    found: list[tuple[Frame, ...]] = []
    for node in nodes:
        found.append(() if node.frame is None else (*found[node.parent], node.frame))
    return dict(zip(found, nodes, strict=True))


def test_the_interface_gives_them(watched: Recording, collector: Any) -> None:
    at, before = watched.ended, watched.ended - 50
    root = collector.client.get("/api/v1/scopes/run/flame", params={"at": at, "nodes": 20}).json()
    assert root["nodes"][0] == {**root["nodes"][0], "parent": -1, "frame": None}
    assert root["nodes"][0]["live_bytes"] == sum(by_stack(watched, at).values())
    assert len(root["nodes"]) == 20
    newest = collector.client.get("/api/v1/scopes/run/flame").json()
    assert newest["nodes"][:20] == root["nodes"]
    grown = collector.client.get("/api/v1/scopes/run/growth", params={"before": before, "limit": 5}).json()[
        "items"
    ]
    assert len(grown) == 5
    assert (
        by_stack(watched, at)[tuple(Frame(f["file"], f["line"], f["function"]) for f in grown[0]["stack"])]
        == grown[0]["after_bytes"]
    )
    sites = collector.client.get("/api/v1/scopes/run/sites", params={"limit": 3}).json()["items"]
    assert len(sites) == 3
    assert sites[0]["mean_bytes"] >= sites[1]["mean_bytes"] > 0
    assert collector.client.get("/api/v1/scopes/none/sites").status_code == 404


def test_flame_growth_and_sites(watched: Recording, database_url: str) -> None:
    database = Database(database_url)
    with database.lend() as connection:
        row = read_scope(connection, "run")
        assert row is not None
        moments = [watched.ended - 50, watched.ended - 20, watched.ended]
        for at in moments:
            wanted: dict[tuple[Frame, ...], int] = defaultdict(int)
            stacks = by_stack(watched, at)
            for stack, live in stacks.items():
                outwards = tuple(reversed(stack))
                for depth in range(len(outwards) + 1):
                    wanted[outwards[:depth]] += live
            nodes = flames.flame_graph(connection, row.scope_id, at)
            found = paths(nodes)
            assert {path: node.live_bytes for path, node in found.items()} == wanted
            assert {path[::-1]: n.self_bytes for path, n in found.items() if n.self_bytes} == {
                stack: live for stack, live in stacks.items() if live
            }
            few = flames.flame_graph(connection, row.scope_id, at, most=10)
            assert few == nodes[:10]
            assert all(node.parent < place for place, node in enumerate(nodes))
        assert len(chosen(watched, moments[0])) == 3
        assert len(chosen(watched, moments[2])) == 2

        grown = flames.growth(connection, row.scope_id, moments[0], moments[2])
        before, after = by_stack(watched, moments[0]), by_stack(watched, moments[2])
        assert {one.stack: (one.before_bytes, one.after_bytes) for one in grown} == {
            stack: (before.get(stack, 0), after.get(stack, 0)) for stack in before.keys() | after.keys()
        }
        assert [one.growth for one in grown] == sorted((one.growth for one in grown), reverse=True)

        start, end = moments[0], moments[2] - 5
        means: dict[Frame, float] = defaultdict(float)
        firsts: dict[Frame, float] = defaultdict(float)
        for process in range(len(watched.processes)):
            own = [p for p in watched.profiles if p.process == process and start <= p.time <= end]
            for profile in own:
                for stack, live in zip(profile.stacks, profile.live_bytes.sum(axis=1), strict=True):
                    site = site_frame(watched.stacks[stack], watched.processes[process].library_prefixes)
                    assert site is not None
                    means[site] += live / len(own)
                    firsts[site] += live if profile is own[0] else 0
        sites = flames.top_sites(connection, row.scope_id, start, end)
        assert {one.frame: one.mean_bytes for one in sites} == pytest.approx(dict(means))
        assert {one.frame: one.first_bytes for one in sites} == firsts
        assert [one.mean_bytes for one in sites] == sorted((one.mean_bytes for one in sites), reverse=True)
        assert flames.top_sites(connection, row.scope_id, start, end, most=2) == sites[:2]
        of_one = flames.flame_graph(connection, row.scope_id, moments[2], pid=100)
        assert (
            0 < of_one[0].live_bytes < flames.flame_graph(connection, row.scope_id, moments[2])[0].live_bytes
        )
        assert flames.flame_graph(connection, row.scope_id, 1.0) == []
        assert flames.flame_graph(connection, -1, moments[2]) == []
    database.close()
