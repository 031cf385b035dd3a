"""The process: settings, how it starts, how it fails to start."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from collector_processes import Collector, Server
from collector_requests import metrics, metrics_answer, post_metrics
from pydantic import BaseModel

from memwarden_api.names import ENV_TOKEN, EXIT_FAILED
from memwarden_collector.options import parse_listen
from memwarden_collector.settings import Analysis, Limits, Retention, Settings, hide_password


def run(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # gRPC on a free port, whatever else runs on this machine.
        [sys.executable, "-m", "memwarden_collector", "--grpc-listen", "127.0.0.1:0", *options],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environ},
        check=False,
    )


def fails(*options: str, **environ: str) -> str:
    """The one sentence of a start that failed; what was logged before it has a level."""
    done = run(*options, **environ)
    assert done.returncode == EXIT_FAILED, done
    *logged, line = done.stderr.strip().splitlines()
    assert all(" INFO " in earlier for earlier in logged), done.stderr
    return line


def test_print_config_shows_everything_but_secrets() -> None:
    url = "postgresql://user:very-secret@host/db?password=very-secret"
    done = run("--print-config", "--max-points", "7", "--database-url", url, **{ENV_TOKEN: "token-secret"})
    shown = json.loads(done.stdout)
    assert shown["limits"]["max_points"] == 7
    assert shown["analysis"]["judge_min_seconds"] == 5
    assert shown["host"] == "127.0.0.1"
    assert shown["token"] == "set"
    assert shown["database_url"] == "postgresql://user:***@host/db?password=***"
    assert "secret" not in done.stdout + done.stderr
    assert hide_password("host=a password='x y' dbname=b") == "host=a password=*** dbname=b"


def test_every_setting_says_what_it_is_for() -> None:
    models: list[type[BaseModel]] = [Settings]
    for model in models:
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                models.append(field.annotation)  # a group of settings
            else:
                assert field.description, name
    assert {Limits, Analysis, Retention} < set(models)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:4318", ("::1", 4318)), ("localhost:1", ("localhost", 1))],
)
def test_listen(text: str, expected: tuple[str, int]) -> None:
    assert parse_listen(text) == expected


def test_bad_options_are_one_sentence() -> None:
    assert "--database-url" in fails(MEMWARDEN_DATABASE_URL="")
    url = "postgresql:///x?host=/nowhere"
    assert "HOST:PORT" in fails("--database-url", url, "--listen", "nonsense")
    assert "max_points" in fails("--database-url", url, "--max-points", "0")
    assert "token" in fails("--database-url", url, **{ENV_TOKEN: "a\tb"}).lower()


def test_a_database_that_cannot_be_used(server: Server, database_url: str, tmp_path: Path) -> None:
    listen = ("--listen", "127.0.0.1:0")
    assert "can't be reached" in fails(*listen, "--database-url", f"postgresql:///x?host={tmp_path}")
    assert "does not exist" in fails(*listen, "--database-url", server.url("nosuch"))
    assert "can't be used" in fails(*listen, "--database-url", "nonsense nonsense")
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create role poor login")
    try:
        poor = database_url.replace("postgres@", "poor@")
        assert "may not" in fails(*listen, "--database-url", poor)
    finally:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("drop role poor")
    name = database_url.split("/")[3].split("?")[0]
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"alter database {name} set default_transaction_read_only = on")
    assert "takes no writes" in fails(*listen, "--database-url", database_url)


def test_an_address_that_cannot_be_used(database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "--listen" in fails("--database-url", database_url, "--listen", f"127.0.0.1:{port}")
    assert "not an address" in fails("--database-url", database_url, "--listen", "no.such.host.invalid:0")
    missing = str(tmp_path / "missing" / "port")
    assert "--port-file" in fails(
        "--database-url", database_url, "--listen", "127.0.0.1:0", "--port-file", missing
    )


def test_it_stays_small(start: Any, database_url: str) -> None:
    collector = start(database_url)
    collector.client.get("/api/v1/scopes")
    assert collector.memory() < 200 << 20


def test_print_config_does_not_need_a_database_and_migrate_to_does(database_url: str) -> None:
    done = run("--database-url", database_url, "--migrate-to", "2")
    assert (done.returncode, done.stdout) == (0, "the schema is at migration 2\n")
    assert "no migration 99" in fails("--database-url", database_url, "--migrate-to", "99")


@pytest.mark.system
@pytest.mark.parametrize("days", [-3, 3])
def test_a_clock_that_jumps_costs_no_sample(tmp_path: Path, database_url: str, days: int) -> None:
    """The sender's times go on as they were; the collector's own wall clock is three days off from one moment on."""
    faketime = pytest.importorskip("libfaketime", reason="libfaketime has no build for this machine")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    library = Path(faketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    collector = Collector(
        tmp_path,
        database_url,
        env={
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )
    try:
        now = time.time()
        for at in (now - 2, now - 1, now):
            answer = metrics_answer(post_metrics(collector.client, metrics("jumpy", at)))
            assert answer.partial_success.rejected_data_points == 0, answer.partial_success.error_message
            offset.write_text(f"{days * 86400:+d}")  # after the first request
        found = collector.client.get("/api/v1/scopes/jumpy/series?metric=memwarden.memory.anon").json()
        (series,) = [item for item in found["items"] if item["pid"] is None]
        assert series["times"] == pytest.approx([now - 2, now - 1, now], abs=0.001)
        assert collector.client.post("/api/v1/scopes/jumpy/judge").status_code == 200
    finally:
        assert collector.stop() == 0
