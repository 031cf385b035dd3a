"""`make demo` as a new user sees it: the shop that leaks is named with its line, its fixed twin is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_the_demo_names_the_line_and_acquits_the_twin(tmp_path: Path) -> None:
    # A tracer in the shop keeps data of its own that grows, and would be judged with it.
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    played = subprocess.run(
        [sys.executable, "-m", "memwarden", "demo", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=400,
        stdin=subprocess.DEVNULL,
        env=untraced,
        check=False,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert "LEAKING" in played.stdout
    assert "HEALTHY" in played.stdout
    leaking = json.loads((tmp_path / "demo-report.json").read_text())["verdicts"][0]
    site = leaking["sites"][0]
    shop = Path(__file__).parents[1] / "cli" / "src" / "memwarden" / "demo" / "shop" / "cache.py"
    line = shop.read_text().splitlines()[site["line"] - 1]
    assert Path(site["file"]).name == "cache.py"
    assert "render_template(" in line
    assert (tmp_path / "demo-report.md").read_text().startswith("## Memwarden: Leaking")
    twin = json.loads((tmp_path / "demo-report-fixed.json").read_text())["verdicts"][0]
    assert "Leaking" not in {entry["verdict"] for entry in twin["history"]}
