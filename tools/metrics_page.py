"""Print docs/reference/metrics.md: every metric of our processes, with what its code says that it is.

Metrics are found where they are defined: a name that begins like ours, and the words beside it. A name without words is
an error: so none can be undocumented.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from memwarden_api import names

ROOT = Path(__file__).resolve().parent.parent
PARTS = {
    "collector": (
        "collector/src",
        "The collector",
        "`/metrics` on its HTTP port; with `--open-metrics` without a token",
    ),
    "injector": ("operator/src", "The injector", "`/metrics` on port 8080"),
    "controller": ("operator/src", "The controller", "`/metrics` on port 8080"),
}
OURS = re.compile(r"memwarden_[a-z0-9_]*[a-z0-9]")
NO_METRICS = re.compile(r"memwarden_(api|core|kube|sidecar|collector|operator|probe|hook)")
KINDS = {
    "Counter": "counter",
    "CounterMetricFamily": "counter",
    "Gauge": "gauge",
    "GaugeMetricFamily": "gauge",
}


def text(node: ast.expr) -> str | None:
    """A literal, or one of the names that others rely on."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "names":
        found = getattr(names, node.attr, None)
        return found if isinstance(found, str) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def defined(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Name, kind and meaning of each metric that is defined in a file."""
    variables = {
        target.id: value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (value := text(node.value)) is not None
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) > 1 and isinstance(node.func, ast.Name):
            first = node.args[0]
            name = variables.get(first.id) if isinstance(first, ast.Name) else text(first)
            meaning = text(node.args[1])
            if name and meaning and OURS.fullmatch(name):
                kind = KINDS.get(node.func.id, "histogram")
                total = "_total" if kind == "counter" and not name.endswith("_total") else ""
                yield name + total, kind, meaning
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                name = text(key) if key is not None else None
                if name and OURS.fullmatch(name) and isinstance(value, ast.Tuple) and len(value.elts) == 2:
                    kind, meaning = (text(element) for element in value.elts)
                    if kind and meaning:
                        yield name, kind, meaning


def named(tree: ast.AST) -> set[str]:
    """Every string that looks like a metric of ours."""
    found = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {name for name in found if OURS.fullmatch(name) and not NO_METRICS.fullmatch(name)}


def page() -> str:
    metrics: dict[str, tuple[str, str]] = {}
    without = set()
    for folder in sorted({folder for folder, _, _ in PARTS.values()}):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            here = {name: (kind, meaning) for name, kind, meaning in defined(tree)}
            metrics |= here
            without |= {name for name in named(tree) if name not in here and f"{name}_total" not in here}
    without -= set(metrics)
    if without:
        sys.exit(f"metrics without words beside their names: {', '.join(sorted(without))}")
    lines = ["# Metrics", "", "Made from the code by `make generate`. Never edit by hand."]
    rest = dict(metrics)
    for part, (_, title, where) in PARTS.items():
        own = sorted(name for name in metrics if name.startswith(f"memwarden_{part}_"))
        lines += ["", f"## {title}", f"{where}.", "", "| metric | kind | what it is |", "|---|---|---|"]
        for name in own:
            kind, meaning = rest.pop(name)
            lines.append(f"| `{name}` | {kind} | {meaning} |")
    if rest:
        lines += [
            "",
            "## Of what is watched",
            "The collector's too.",
            "",
            "| metric | kind | what it is |",
            "|---|---|---|",
        ]
        lines += [f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in sorted(rest.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
