"""What the analysis of many containers costs, on the real database (embedded), a sample each 15 s.

`python benchmarks/analysis_load.py [--containers 10000] [--hours 3]`: CPU seconds of the collector's analysis and of
the database's processes, for taking the job over and for one round (the 75 s in which each container gets five samples
and is looked at once), as a share of one core. Two in a hundred containers leak. The reference in the same run: what it
would take to query and judge each container by itself, from as many of them as `--reference` says.
"""

import argparse
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg.types.json import Jsonb

from memwarden.database import server
from memwarden_collector.analysis.analyst import Analyst
from memwarden_collector.analysis.digest import Digest
from memwarden_collector.analysis.judging import Judging
from memwarden_collector.analysis.placement import place
from memwarden_collector.clock import Clock
from memwarden_collector.errors import DatabaseAway
from memwarden_collector.settings import Analysis
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.migrate import migrate
from memwarden_collector.telemetry import Telemetry

INTERVAL = 15.0
ROUND = 75.0
_SCOPES = """
insert into scope (name, kind, interval_seconds, limit_bytes, limit_source, seen_first, seen_last)
select 'shop/app-' || n || '/app@' || n, 'container', 15, 1e9, 'cgroup', %(start)s, %(end)s
from generate_series(1, %(count)s) n
"""
_RESOURCES = """
insert into resource (scope_id, fp, attrs, attrs_at, seen_first, seen_last)
select scope_id, name::bytea, jsonb_build_object('k8s.namespace.name', 'ns-' || scope_id %% 40, 'k8s.deployment.name',
  'app-' || scope_id / 4, 'k8s.pod.name', 'app-' || scope_id, 'k8s.pod.uid', 'uid-' || scope_id,
  'k8s.container.name', 'app'), seen_last, seen_first, seen_last from scope
"""
# 100 to 400 MB, a day's swing, noise of a percent; every fiftieth leaks 6 % of its limit an hour since an hour before.
_VALUE = """
(1e8 + resource_id %% 300 * 1e6) * (1 + 0.1 * sin(extract(epoch from t) / 13750 + resource_id)
  + 0.01 * (random() - 0.5))
  + case when resource_id %% 50 = 0 then greatest(0, extract(epoch from t) - %(leaks)s) / 3600 * 6e7 else 0 end
"""
_SAMPLES = f"""
insert into mem_sample (ts, resource_id, anon_bytes, limit_bytes, cpu_seconds, limit_source)
select t, resource_id, {_VALUE}, 1e9, extract(epoch from t - %(start)s::timestamptz) * 0.1, 'cgroup'
from resource, generate_series(%(from)s::timestamptz, %(to)s::timestamptz, '15 seconds') t
"""
_ROLLUPS = f"""
insert into roll_mem_10m (resource_id, bucket, n, min, max, sum, last)
select resource_id, t, array[40], array[v], array[v * 1.01], array[v * 40], array[v]
from (select resource_id, t, {_VALUE} as v from resource,
  generate_series(date_bin('10 minutes', %(first)s, '2000-01-01 UTC'), %(to)s::timestamptz, '10 minutes') t) made
"""


@dataclass
class Spent:
    """CPU seconds."""

    own: float
    database: float

    @property
    def whole(self) -> float:
        return self.own + self.database


class Meter:
    """CPU seconds of this process and of a server's processes since it was made."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster
        self._own, self._database = time.process_time(), self._read()

    def spent(self) -> Spent:
        return Spent(time.process_time() - self._own, self._read() - self._database)

    def _read(self) -> float:
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._postmaster or stat.parent.name == str(self._postmaster):
                total += int(fields[11]) + int(fields[12])
                if stat.parent.name == str(self._postmaster):
                    total += int(fields[13]) + int(fields[14])  # of those that have ended
        return total / 100


def fill(connection: Connection, containers: int, hours: float, now: float) -> None:
    """Samples of the last 70 minutes, rollups of what was before."""
    times = connection.execute(
        "select to_timestamp(%s), to_timestamp(%s), to_timestamp(%s)", [now - hours * 3600, now - 4200, now]
    ).fetchone()
    assert times is not None
    given = {
        "leaks": now - 3600,
        "start": times[0],
        "end": times[2],
        "count": containers,
        "from": times[1],
        "to": times[2],
    }
    connection.execute("set statement_timeout = 0")
    connection.execute(_SCOPES, given)
    connection.execute(_RESOURCES, given)
    connection.execute(_SAMPLES.encode(), given)
    for level, name, most in (("10m", "10 minutes", 86_400.0), ("1h", "1 hour", 7 * 86_400.0)):
        connection.execute(
            f"create table roll_mem_{level}_all partition of roll_mem_{level} for values from (minvalue) to (maxvalue)"
        )
        made = _ROLLUPS.replace("10m", level).replace("10 minutes", name)
        first = connection.execute(
            "select greatest(%s, %s - make_interval(secs => %s))", [times[0], times[2], most]
        ).fetchone()
        connection.execute(made.encode(), {**given, "first": first[0], "to": times[1]})
    connection.execute("insert into ingest_change (scope_id, since) select scope_id, seen_first from scope")
    connection.execute("analyze")


def judge_before(connection: Connection) -> None:
    """As if a process before this one had found all of them healthy a moment ago."""
    ids = [row[0] for row in connection.execute("select scope_id from scope order by 1")]
    for start in range(0, len(ids), 1000):
        place(connection, ids[start : start + 1000])
    connection.execute(
        "update workload_scope w set kind = 'Healthy', judged_at = s.seen_last, at = s.seen_last,"
        " anon_bytes = 1e8, limit_bytes = 1e9, digest = %s from scope s where s.scope_id = w.scope_id",
        [
            Jsonb(
                Digest(confidence=0.9, headline="Healthy", reason="flat", observed="Healthy").model_dump(
                    mode="json"
                )
            )
        ],
    )
    connection.execute("analyze")


def send(connection: Connection, leaks: float, since: float, now: float) -> None:
    """Five more samples of each."""
    times = connection.execute(
        "select to_timestamp(%s), to_timestamp(%s), to_timestamp(%s)", [since, since + INTERVAL, now]
    ).fetchone()
    assert times is not None
    given = {"start": times[0], "from": times[1], "to": times[2], "leaks": leaks}
    connection.execute(_SAMPLES.encode(), given)
    connection.execute("update scope set seen_last = %s", [times[2]])
    connection.execute(
        "insert into ingest_change (scope_id, since) select scope_id, %s from scope", [times[1]]
    )


def drain(analyst: Analyst, ahead: list[float], seconds: float = ROUND) -> None:
    """As many ticks as a round has, a second apart by the analysis' clock, which goes on while it computes, too."""
    until = ahead[0] + time.process_time() + seconds
    while ahead[0] + time.process_time() < until:
        with suppress(DatabaseAway):  # on a machine that does much else: the next one does it
            analyst.tick()
        ahead[0] += 1


def counted(telemetry: Telemetry, name: str) -> dict[str, int]:
    """By the value of its one label."""
    return {labels[0][1]: int(value) for labels, value in telemetry.counts(f"memwarden_collector_{name}")}


def measure(
    database: Database, postmaster: int, containers: int, hours: float, rounds: int, sample: int
) -> None:
    telemetry, ahead = Telemetry(), [1e6]
    clock = Clock(monotonic=lambda: ahead[0] + time.process_time())
    analyst = Analyst(database, Analysis(), telemetry, clock)
    now = time.time()
    leaks = now - 3600
    with database.connect("benchmark") as connection:
        fill(connection, containers, hours, now)
        judge_before(connection)

        def told(name: str, spent: Spent, seconds: float, more: str = "") -> None:
            share = f"{spent.whole / seconds:7.1%} of a core" if seconds else ""
            print(
                f"{name:34} {spent.own:8.2f} {spent.database:8.2f} {spent.whole:8.2f}  {share} {more}",
                flush=True,
            )

        print(f"{containers} containers, {hours:g} h; CPU seconds   own database together")
        meter = Meter(postmaster)
        drain(analyst, ahead, 1)
        told("taking over", meter.spent(), 0)
        costs = []
        for number in range(rounds):
            send(connection, leaks, now, now + ROUND)
            now += ROUND
            meter, before = Meter(postmaster), sum(counted(telemetry, "judgements_total").values())
            drain(analyst, ahead)
            spent = meter.spent()
            costs.append(spent.whole)
            judged = sum(counted(telemetry, "judgements_total").values()) - before
            lag = telemetry.counts("memwarden_collector_judgement_lag_seconds")[0][1]
            told(f"round {number + 1}", spent, ROUND, f"judged {judged}, the longest waits {lag:.0f} s")
        kinds = connection.execute(
            "select kind, count(*) from workload_scope group by 1 order by 1"
        ).fetchall()
        print(f"containers by verdict: {dict(kinds)}")

        judging = Judging(database, Analysis(), Telemetry())
        names = [
            row[0]
            for row in connection.execute("select name from scope order by random() limit %s", [sample])
        ]
        meter = Meter(postmaster)
        for name in names:
            judging.judge(name)
        spent = meter.spent()
        each = spent.whole / max(1, len(names))
        whole = Spent(spent.own / len(names) * containers, spent.database / len(names) * containers)
        told("reference: query and judge each", whole, ROUND)
        cost = sorted(costs)[len(costs) // 2]
        print(
            f"reference / round: {whole.whole / cost:.0f} ({each * 1e3:.1f} ms each, of {len(names)} that were tried)"
        )
        print(f"looks by suspect: {counted(telemetry, 'screened_total')}")
        print(f"judgements by verdict: {counted(telemetry, 'judgements_total')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=10_000)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reference", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a short path: it holds a socket
        running = server.start(Path(folder))
        try:
            database = Database(running.url)
            with database.connect("benchmark") as connection:
                migrate(connection)
            measure(
                database,
                int((Path(folder) / "data" / "postmaster.pid").read_text().split()[0]),
                given.containers,
                given.hours,
                given.rounds,
                given.reference,
            )
            database.close()
        finally:
            running.stop()


if __name__ == "__main__":
    main()
