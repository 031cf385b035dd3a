"""A profile of 10 000 samples: CPU time from its bytes to its row, of stacks that are known, and at first."""

import os
import random
import time
from collections.abc import Iterator

from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)

from collector_load import running
from collector_load.figure import Figure, Scale, interleaved, load_average
from memwarden_api.names import AGE_BOUNDS_SECONDS
from memwarden_collector.batch import Batch, Signal
from memwarden_collector.clock import Clock
from memwarden_collector.otlp.profiles import decode_profiles
from memwarden_collector.settings import Limits
from memwarden_collector.store.connection import Database
from memwarden_collector.store.migrate import migrate
from memwarden_collector.store.writer import Writer
from memwarden_sidecar.export import profiles as export
from memwarden_sidecar.export.resources import ScopeIdentity
from memwarden_sidecar.observation import ProcessIdentity
from memwarden_sidecar.sources.probe_table import Bucket, Site
from memwarden_sidecar.sources.proc_files import ProcessKey

ROW = "profile"
SAMPLES = 10_000


def measure(scale: Scale) -> Iterator[Figure]:
    del scale
    body = request()
    with running.database() as (url, _, _):
        database = Database(url)
        with database.connect("benchmark") as connection:
            migrate(connection)
        writer = Writer(database, 1 << 30, 1 << 28)
        first = _once(writer, body)
        known = interleaved(9, lambda: _once(writer, body))[0]
    yield Figure(
        ROW,
        "10 000 samples, stacks known",
        known * 1e3,
        "ms of CPU",
        50.0,
        True,
        note=f"the first time, with its stacks: {first * 1e3:.0f} ms; {len(body) >> 10} KiB",
        load=load_average(),
    )


def _once(writer: Writer, body: bytes) -> float:
    """CPU seconds of decoding and writing, without the database's own."""
    began = time.thread_time()
    message = ExportProfilesServiceRequest.FromString(body)
    blocks, rejections = decode_profiles(message, Limits(), Clock().now())
    assert not rejections.message()
    writer._commit([Batch(os.urandom(16), Signal.PROFILES, blocks)])
    return time.thread_time() - began


def request() -> bytes:
    """As a sidecar sends it: 10 000 cells of 3 334 stacks, on 3 000 lines of 60 files."""
    source = random.Random(1)
    lines = [(f"/srv/app/package/module{n % 60}.py", f"function_{n % 400}", 10 + n) for n in range(3000)]
    ages = len(AGE_BOUNDS_SECONDS) + 1
    left, sites = SAMPLES, []
    while left > 0:
        own = [Bucket(0, 0, 0)] * ages
        for age in range(min(3, left)):
            own[age] = Bucket(float(source.randrange(1 << 20)), 3.0, 1 + age)
        left -= 3
        sites.append(Site(tuple(source.choice(lines) for _ in range(8 + len(sites) % 18)), tuple(own), ()))
    scope = ScopeIdentity("pod-1/app", "shop", "node-1", "python -m shop", 15.0, "container")
    process = ProcessIdentity(
        ProcessKey(100, 1), 1, 1e9, "python -m shop", "/usr/bin/python3", "cpython", "3.12.4", True, "", ()
    )
    return export.encode(scope, process, time.time(), 524_288, sites, with_inherited=False)
