"""The PostgreSQL servers that the store is tested on: the embedded one, Debian's PostgreSQL 15, and PostgreSQL 17 with
the Apache edition of TimescaleDB. What a machine lacks is skipped with the reason.

Debian's are unpacked from its packages into the cache of the other chroots and run there as nobody: nothing is
installed, no service of the machine is started.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from collector_processes import EMBEDDED, Programs

_DEBIAN = Path(__file__).resolve().parents[2] / "probes/python/tests/debian.py"
_PASSWORD_FILE = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"

NAMES = ("embedded", "postgresql-15", "timescaledb-apache")


def programs(name: str, folder: Path) -> Programs:
    """How to start a server's programs; skips where that can't be."""
    if name == "embedded":
        return EMBEDDED
    debian: Any = _debian()
    if name == "postgresql-15":
        release, version, options = debian.Release("bookworm", ("postgresql-15",)), 15, ()
    else:
        release = debian.Release("trixie", ("postgresql-17", "postgresql-17-timescaledb"))
        version, options = 17, ("shared_preload_libraries=timescaledb", "timescaledb.telemetry_level=off")
    root = debian.chroot(release)
    if not (root / "etc/passwd").exists():
        (root / "etc/passwd").write_text(_PASSWORD_FILE)  # initdb wants to know its user's name
    enter = debian.launcher(release, "setpriv", folder)
    rights = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    return Programs(
        lambda program: [enter, *rights, f"/usr/lib/postgresql/{version}/bin/{program}"],
        tuple(word for option in options for word in ("-c", option)),
        drops_rights=True,
    )


def _debian() -> ModuleType:
    spec = importlib.util.spec_from_file_location("debian", _DEBIAN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["debian"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module
