"""Writes what is in an image as a CycloneDX 1.5 document: `sbom.py NAME VERSION ROOT > sbom.cdx.json`.

Python packages by their metadata below ROOT, Debian packages by var/lib/dpkg/status.d of ROOT. The same content
gives the same bytes: no time, no random serial number.
"""

import email
import json
import sys
from pathlib import Path
from urllib.parse import quote


def python_packages(root: Path) -> list[dict]:
    found = []
    for metadata in sorted(root.rglob("*.dist-info/METADATA")):
        fields = email.message_from_string(metadata.read_text())
        name, version = fields["Name"], fields["Version"]
        licence = fields.get("License-Expression") or fields.get("License") or ""
        found.append(
            component(name, version, f"pkg:pypi/{name.lower().replace('_', '-')}@{version}", licence)
        )
    return found


def debian_packages(root: Path) -> list[dict]:
    found = []
    release = {}
    for line in (
        (root / "etc/os-release").read_text().splitlines() if (root / "etc/os-release").exists() else []
    ):
        key, _, value = line.partition("=")
        release[key] = value.strip('"')
    for entry in sorted((root / "var/lib/dpkg/status.d").glob("*")):
        fields = email.message_from_string(entry.read_text())
        name, version = fields["Package"], fields["Version"]
        distribution = f"debian-{release.get('VERSION_ID', '')}"
        # What advisories name is the source package: `Source: name (version)` where it is called otherwise.
        source, _, other = fields.get("Source", name).partition(" ")
        upstream = quote(f"{source}@{other.strip('()') or version}")
        purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={fields['Architecture']}&distro={distribution}"
        purl += f"&upstream={upstream}"
        found.append(component(name, version, purl, ""))
    return found


def component(name: str, version: str, purl: str, licence: str) -> dict:
    told = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    # The whole text of a licence stands in the field of some: only a name is of use here.
    if licence and len(licence) <= 64 and "\n" not in licence:
        told["licenses"] = [{"license": {"name": licence}}]
    return told


def document(name: str, version: str, root: Path) -> dict:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": [*python_packages(root), *debian_packages(root)],
    }


if __name__ == "__main__":
    json.dump(document(sys.argv[1], sys.argv[2], Path(sys.argv[3])), sys.stdout, indent=1)
    print()
