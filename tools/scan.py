"""Known vulnerabilities of what the images hold and of the web part, where the data can be had: `make scan`.

The lists of contents in dist/images (make images) are asked about at OSV (https://osv.dev) in one request: Python
packages by name, Debian's by their source package. The web part is asked about by `npm audit`. What can't be asked
is said and fails nothing; what is found is listed, and the exit code is 1.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
# Another place is for a mirror of its data.
OSV = os.environ.get("MEMWARDEN_OSV_URL", "https://api.osv.dev")
Package = tuple[str, str, str]
"""Ecosystem in OSV's words, name, version."""


def packages(folder: Path) -> list[Package]:
    found: set[Package] = set()
    for document in folder.glob("*.cdx.json"):
        for one in json.loads(document.read_text())["components"]:
            kind, _, _rest = urlsplit(one["purl"]).path.partition("/")
            if kind == "pypi" and not one["name"].startswith("memwarden"):
                found.add(("PyPI", one["name"], one["version"]))
            elif kind == "deb":
                about = parse_qs(urlsplit(one["purl"]).query)
                release = about["distro"][0].removeprefix("debian-")
                name, _, version = about["upstream"][0].partition("@")
                found.add((f"Debian:{release}", name, unquote(version)))
    return sorted(found)


def ask(asked: list[Package]) -> dict[Package, list[str]]:
    """Raises OSError where the data can't be had."""
    queries = [
        {"package": {"ecosystem": ecosystem, "name": name}, "version": version}
        for ecosystem, name, version in asked
    ]
    request = urllib.request.Request(  # noqa: S310 - the address is a constant or the caller's
        f"{OSV}/v1/querybatch",
        json.dumps({"queries": queries}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        results = json.load(answer)["results"]
    return {
        package: [one["id"] for one in result["vulns"]]
        for package, result in zip(asked, results, strict=True)
        if result.get("vulns")
    }


def scan_images() -> bool:
    asked = packages(ROOT / "dist" / "images")
    if not asked:
        print("images: there are no lists of contents in dist/images: `make images`")
        return True
    try:
        found = ask(asked)
    except (OSError, ValueError, KeyError) as error:
        print(f"images: {len(asked)} packages were not looked up: {OSV} can't be asked from here ({error})")
        return True
    for (ecosystem, name, version), ids in found.items():
        print(f"images: {ecosystem} {name} {version}: {', '.join(ids)}")
    print(f"images: {len(asked)} packages looked up, {len(found)} with known vulnerabilities")
    return not found


def scan_web() -> bool:
    npm = shutil.which("npm")
    if npm is None:
        print("web part: not looked up, there is no npm")
        return True
    asked = subprocess.run(
        [npm, "audit", "--json"], cwd=ROOT / "cli" / "web", capture_output=True, text=True, check=False
    )
    try:
        answer = json.loads(asked.stdout)
        total = answer["metadata"]["vulnerabilities"]["total"]
    except (ValueError, KeyError):
        print("web part: not looked up, npm's registry gives no advisories from here")
        return True
    print(f"web part: {total} known vulnerabilities{'; see `npm audit` in cli/web' if total else ''}")
    return total == 0


if __name__ == "__main__":
    well = [scan_images(), scan_web()]
    sys.exit(0 if all(well) else 1)
