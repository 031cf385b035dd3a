"""What is refused before anything is started: one sentence, the right exit code, no traceback."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest


def refused(bench: Any, *words: str, **changes: str) -> tuple[int, str]:
    result = bench.memwarden(*words, **changes)
    assert result.out == ""
    assert result.err.startswith("memwarden: ")
    assert result.err.count("\n") == 1, result.err
    assert bench.left() == []
    return result.code, result.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run",), 125, "behind --"),
        (("run", "--"), 125, "behind --"),
        (("run", "--", ""), 127, "empty"),
        (("run", "--", "no-such-command"), 127, "PATH"),
        (("run", "--", "./no-such-command"), 127, "not found"),
        (("run", "--", "/usr"), 126, "folder"),
        (("run", "--", "/etc/passwd"), 126, "not executable"),
        (("run", "--interval", "fast", "--", "true"), 125, "--interval"),
        (("run", "--interval", "1ms", "--", "true"), 125, "100ms"),
        (("run", "--memory-limit", "1G", "--", "true"), 125, "--memory-limit"),
        (("run", "--duration", "0s", "--", "true"), 125, "--duration"),
        (("run", "--sampling", "1", "--", "true"), 125, "--sampling"),
        (("run", "--fail-on", "growth", "--", "true"), 125, "--fail-on"),
        (("run", "--report", "r.txt", "--", "true"), 125, "the suffix says the format"),
        (("run", "--report", "/no/such/r.md", "--", "true"), 125, "does not exist"),
        (("run", "--report", "a.md", "--report", "a.md", "--", "true"), 125, "twice"),
        (("run", "--keep", "/proc/kept", "--", "true"), 125, "can't be written"),
        (("run", "--keep", "/usr", "--", "true"), 125, "folder"),
        (("run", "--nonsense", "--", "true"), 125, "--help"),
        (("run", "python", "app.py"), 125, "unrecognized"),
        (("frobnicate",), 125, "frobnicate"),
        ((), 125, "VERB"),
        (("cache", "clear", "--", "x"), 125, "memwarden run"),
        (("why", "/no/such/file"), 125, "can't be read"),
        (("why", "/etc/passwd"), 125, "not a recording"),
    ],
)
def test_refusals(bench: Any, words: tuple[str, ...], code: int, says: str) -> None:
    if "/proc/kept" in words and os.access("/proc", os.W_OK):
        words = tuple("/proc/self/kept" if word == "/proc/kept" else word for word in words)
        if os.access("/proc/self", os.W_OK):
            pytest.skip("root may write everywhere as far as access(2) says")
    got, err = refused(bench, *words)
    assert got == code, err
    assert says in err


def test_a_cache_that_is_not_ours_is_not_deleted(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    code, err = refused(bench, "cache", "clear", MEMWARDEN_CACHE=str(tmp_path))
    assert code == 125
    assert "nothing was deleted" in err
    assert (tmp_path / "precious").exists()


def test_the_cache_is_made_and_cleared(bench: Any, tmp_path: Path) -> None:
    place = tmp_path / "c"
    assert bench.memwarden("cache", "path", MEMWARDEN_CACHE=str(place)).out == f"{place}\n"
    assert bench.memwarden("cache", "clear", MEMWARDEN_CACHE=str(place)).code == 0
    place.mkdir()
    (place / "CACHEDIR.TAG").write_text("")
    (place / "x").write_text("x" * 5000)
    assert "5 kB freed" in bench.memwarden("cache", "clear", MEMWARDEN_CACHE=str(place)).out
    assert not place.exists()


def test_a_database_that_is_not_there(bench: Any) -> None:
    with socket.socket() as taken:  # bound, nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://me:hunter2@127.0.0.1:{taken.getsockname()[1]}/x"
        code, err = refused(bench, "run", "--database-url", url, "--", "echo", "started")
    assert code == 125
    assert "hunter2" not in err


@pytest.mark.parametrize(
    "words", [("--help",), *((verb, "--help") for verb in ("run", "why", "cache", "sidecar"))]
)
def test_help_has_examples(bench: Any, words: tuple[str, ...]) -> None:
    result = bench.memwarden(*words)
    assert (result.code, result.err) == (0, "")
    assert "memwarden" in result.out
    assert len(words) == 1 or "example" in result.out


def test_the_version(bench: Any) -> None:
    assert bench.memwarden("--version").out == "memwarden 0.1.0\n"
