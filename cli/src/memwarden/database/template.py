"""An initialised data folder, made once and copied for every run: initdb takes 0.6 s, a copy 0.05 s.

It lies in the cache under a name made of PostgreSQL's version and our settings, so that a changed setting
makes a new one. It appears there by a rename, complete or not at all; of several first runs at once one wins.
"""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from memwarden import cache
from memwarden.database import settings
from memwarden.database.binaries import Binaries
from memwarden.errors import Failed, reason
from memwarden.supervise.confinement import How, Identity, before_exec

ENVIRONMENT: Final[Mapping[str, str]] = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
_INITDB_SECONDS: Final = 60
_ABANDONED_SECONDS: Final = 600


def copy_to(target: Path, binaries: Binaries, identity: Identity) -> None:
    """Make the data folder `target` (it must not exist) for a server that runs as `identity`."""
    template = _cached(binaries, identity, target.parent)
    try:
        if template is None:
            initialise(target, binaries, identity)
        else:
            shutil.copytree(template, target, symlinks=True)
            target.chmod(0o700)
            if identity.how is How.DROPPED:
                _give(target, identity)
    except OSError as error:
        raise _disk(error, target.parent) from error


def forget(binaries: Binaries) -> None:
    """Delete the template: a server could not start from it, so it is damaged."""
    shutil.rmtree(cache.folder() / "postgresql" / _key(binaries), ignore_errors=True)


def initialise(data: Path, binaries: Binaries, identity: Identity) -> None:
    """initdb, our settings, and away with the databases that nobody uses."""
    if identity.how is How.DROPPED:
        data.mkdir(mode=0o700)
        os.chown(data, identity.uid, identity.gid)
    _run([str(binaries.initdb), "-D", str(data), *settings.INITDB], "", identity, data.parent)
    _run(
        [str(binaries.postgres), "--single", "-F", "-D", str(data), "postgres"],
        settings.SLIM,
        identity,
        data.parent,
    )
    configuration = data / "postgresql.conf"
    configuration.write_text(settings.configuration(int(binaries.version.split("-")[0])), encoding="utf-8")


def _cached(binaries: Binaries, identity: Identity, work: Path) -> Path | None:
    """The template's folder, made if need be; None where there can't be a cache (no home, read-only)."""
    try:
        place = cache.make() / "postgresql"
        place.mkdir(mode=0o700, exist_ok=True)
        template = place / _key(binaries)
        if (template / "PG_VERSION").exists():
            return template
        _sweep(place)
        build = Path(tempfile.mkdtemp(prefix=".making-", dir=place))
    except (OSError, RuntimeError):  # RuntimeError: Path.home() without a home
        return None
    try:
        # Made in the work folder: another user id (How.DROPPED) can't reach the cache.
        fresh = work / "template"
        initialise(fresh, binaries, identity)
        shutil.copytree(fresh, build / "data", symlinks=True)
        shutil.rmtree(fresh)
        try:
            (build / "data").rename(template)
        except OSError:
            if not (template / "PG_VERSION").exists():
                raise
    except OSError as error:
        raise _disk(error, place) from error
    finally:
        shutil.rmtree(build, ignore_errors=True)
    return template


def _key(binaries: Binaries) -> str:
    recipe = repr((settings.INITDB, settings.SERVER, settings.SLIM))
    return f"{binaries.version}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def _sweep(place: Path) -> None:
    """Remove what killed runs left half made."""
    for path in place.glob(".making-*"):
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _run(arguments: list[str], stdin: str, identity: Identity, folder: Path) -> None:
    try:
        done = subprocess.run(
            arguments,
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(ENVIRONMENT),
            cwd=folder,
            timeout=_INITDB_SECONDS,
            start_new_session=True,
            check=False,
            preexec_fn=before_exec(identity, frozenset(), signal.SIGKILL),
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(
            f"{Path(arguments[0]).name} took more than {_INITDB_SECONDS} s; the machine or its disk is "
            "too busy, try again or use --database-url"
        ) from error
    except subprocess.SubprocessError as error:
        raise Failed(no_identity()) from error
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise Failed(explain(Path(arguments[0]).name, output, folder), details=output)


def explain(program: str, output: str, folder: Path) -> str:
    """A sentence for a failure of PostgreSQL's programs."""
    if "No space left" in output or "File too large" in output or "Disk quota" in output:
        return no_space(folder)
    if "Cannot allocate memory" in output or "could not create shared memory" in output:
        return f"{program} got no memory for the temporary database; free memory, or use --database-url"
    lines = [line.strip() for line in output.splitlines() if "FATAL" in line or "error" in line.lower()]
    cause = lines[-1] if lines else "it said nothing"
    return f"the temporary database could not be made, {program} failed: {cause}; use --database-url"


def no_space(folder: Path) -> str:
    return (
        f"there is no space for the temporary database in {folder} (it needs 40 MB); free some, "
        "or set TMPDIR to another folder"
    )


def no_identity() -> str:
    return (
        "the temporary database can't be run by this user: PostgreSQL refuses root, and this system "
        "allows neither a user namespace nor a change of user; use --database-url"
    )


def _disk(error: OSError, folder: Path) -> Failed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Failed(no_space(folder))
    return Failed(
        f"the temporary database could not be made in {folder}: {reason(error)}; set TMPDIR or --database-url"
    )


def _give(folder: Path, identity: Identity) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
