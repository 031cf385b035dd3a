"""The public schemas of JUnit XML and SARIF, for `make test-system`: fetched, never copied into this repository.

Nobody publishes them as packages of their own, so they come out of packages that carry them: the schema of Jenkins'
xunit plugin (junit-10.xsd, MIT) from the source distribution of pytest, that of SARIF 2.1.0 (OASIS) from the npm
package of Microsoft's matchers. Both are pinned by the digest of the schema itself. What is in the cache is not
fetched again. Prints one line for what can't be had, with the reason; the tests then skip with it.
"""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHA256 = {
    "junit-10.xsd": "a1a816f58d1bf95ebabf371994df0b9246dee66ea9572fbec4f9296f1b2c0ff6",
    "sarif-2.1.0-rtm.5.json": "2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8",
}
FETCH_SECONDS = 180


def _place(name: str) -> Path:
    return Path.home() / ".cache/memwarden/schemas" / name


def cached(name: str) -> Path | None:
    """Where the schema lies, if it is there and is the one that is meant."""
    path = _place(name)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[name]:
        return path
    return None


def _from_pypi(work: Path) -> Path:
    pip = [ROOT / ".uv/bin/python", "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command = [*pip, "--no-deps", "--no-binary", "pytest", "--dest", work, "pytest==9.0.1"]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)
    [archive] = work.glob("pytest-*.tar.gz")
    return archive


def _from_npm(work: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    command = [npm, "pack", "--json", "@microsoft/jest-sarif@1.0.0-beta.0"]
    done = subprocess.run(
        command, cwd=work, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS
    )
    return work / json.loads(done.stdout)[0]["filename"]


SOURCES: dict[str, Callable[[Path], Path]] = {
    "junit-10.xsd": _from_pypi,
    "sarif-2.1.0-rtm.5.json": _from_npm,
}


def fetch(name: str) -> None:
    """Put it into the cache. Raises OSError, subprocess errors or ValueError when it can't be had."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(SOURCES[name](Path(folder))) as archive:
        [member] = [one for one in archive if one.name.endswith(f"/{name}")]
        content = (archive.extractfile(member) or io.BytesIO()).read()
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise ValueError("it is not the one that was pinned")
    path = _place(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main() -> int:
    for name in SHA256:
        if cached(name) is None:
            try:
                fetch(name)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                print(
                    f"memwarden: the schema {name} can't be had, its test is skipped: {error}",
                    file=sys.stderr,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
