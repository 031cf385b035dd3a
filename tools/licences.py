"""List every dependency of uv.lock with its licence, in docs/reference/licences.md; --check holds it to the lock.

The licence is read from the metadata of what is installed; what this platform doesn't install keeps the licence
that the file already names.
"""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "licences.md"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$")
HEAD = """# Licences of dependencies
Made by `tools/licences.py` from uv.lock; not to be edited by hand. All may be used by software under
Apache-2.0 (psycopg, LGPL, is imported unchanged and not part of ours). What only tests and tools use is listed too.
The page that `memwarden report` writes holds uPlot (MIT), pinned in cli/web/package-lock.json, with its notice.

| package | version | licence |
|---|---|---|
"""


def locked() -> dict[str, str]:
    """Return name → version of everything in the lock that is not ours."""
    versions: dict[str, list[str]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        if "registry" in package["source"]:
            versions.setdefault(package["name"], []).append(package["version"])
    # The lock may hold one version for an older Python and another for a newer one.
    return {name: ", ".join(sorted(found)) for name, found in versions.items()}


def listed() -> dict[str, tuple[str, str]]:
    """Return name → (version, licence) as the page has it."""
    if not PAGE.exists():
        return {}
    rows = (ROW.match(line) for line in PAGE.read_text().splitlines())
    found = {row[1].strip(): (row[2].strip(), row[3].strip()) for row in rows if row}
    found.pop("package", None)
    return found


def licence(name: str) -> str | None:
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    if expression := about.get("License-Expression"):
        return expression
    classifiers = [
        c.rsplit(" :: ", 1)[1] for c in about.get_all("Classifier", []) if c.startswith("License ::")
    ]
    if classifiers:
        return " or ".join(classifiers)
    text = (about.get("License") or "").strip()
    return text.splitlines()[0][:60] if text else None


def main(arguments: list[str]) -> int:
    wanted, known = locked(), listed()
    if "--check" in arguments:
        if wanted != {name: version for name, (version, _) in known.items()}:
            print("docs/reference/licences.md is not what uv.lock says: run make generate", file=sys.stderr)
            return 1
        return 0
    rows = [
        f"| {name} | {version} | {licence(name) or known.get(name, ('', 'see its metadata'))[1]} |"
        for name, version in sorted(wanted.items())
    ]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(HEAD + "\n".join(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
