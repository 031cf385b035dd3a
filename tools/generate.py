"""Make the generated files again; with --check, fail where one differs from what its source says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

KINDS = ("memoryprofile", "memoryalertpolicy", "heapsnapshot")


def of_kind(kind: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The files of one of our kinds."""
    made = ("-m", "memwarden_api.generate")
    plural = f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"
    return (
        (f"crds/generated/{plural}.yaml", (*made, "crd", kind)),
        (f"charts/memwarden-crds/templates/{plural}.yaml", (*made, "chart", kind)),
        (f"docs/reference/{kind}.schema.json", (*made, "schema", kind)),
        (f"docs/reference/{kind}.md", (*made, "reference", kind)),
    )


# (file, the command that prints it)
GENERATED = (
    ("docs/reference/report.schema.json", ("-m", "memwarden.report.schema", "report")),
    ("docs/reference/difference.schema.json", ("-m", "memwarden.report.schema", "difference")),
    ("docs/reference/openapi.json", ("-m", "memwarden_collector.serve.openapi")),
    ("docs/reference/commands.md", ("-m", "memwarden.reference", "commands")),
    ("docs/reference/exit-codes.md", ("-m", "memwarden.reference", "exit-codes")),
    ("docs/reference/environment.md", ("-m", "memwarden.reference", "environment")),
    *(file for kind in KINDS for file in of_kind(kind)),
    ("docs/reference/metrics.md", ("tools/metrics_page.py",)),
    ("docs/reference/cost.md", ("benchmarks/overhead/page.py",)),
    ("docs/reference/collector-cost.md", ("benchmarks/collector_load/page.py",)),
)


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    stale = []
    for name, command in GENERATED:
        made = subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True).stdout
        path = ROOT / name
        if path.exists() and path.read_bytes() == made:
            continue
        if check:
            stale.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made)
            print(f"made {name}")
    licences = subprocess.run([sys.executable, "tools/licences.py", *arguments], cwd=ROOT, check=False)
    for name in stale:
        print(f"{name} is not what its source says: run make generate", file=sys.stderr)
    return 1 if stale or licences.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
