"""A probe that costs more than its budget switches itself off, and the report says so."""

import sys
from pathlib import Path

import pytest
from harness import Run

pytestmark = pytest.mark.system

# Windows of the budget are counted in CPU time, so the program is too: how busy the machine is does not matter.
BUSY = """
import time
while time.process_time() < 8:
    [[n, str(n)] for n in range(2000)]
print("done")
"""


def test_the_report_says_that_the_probe_switched_itself_off(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    program = ["env", "MEMWARDEN_CPU_BUDGET=0.001", sys.executable, str(tmp_path / "busy.py")]
    finished = Run(tmp_path / "run", ["--quiet", "--report", str(tmp_path / "report.md")], program).wait(
        timeout=400
    )
    assert (finished.exit_code, finished.stdout) == (0, "done\n")
    (process,) = finished.verdict["processes"]
    assert process["probe"] == "outside"
    assert process["probe_reason"].startswith("the probe switched itself off")
    assert "the probe switched itself off" in (tmp_path / "report.md").read_text()
