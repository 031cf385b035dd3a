"""One watched shop of the demo: `memwarden run` as a user would type it, and the visitors in front of it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from memwarden.api import ApiError
from memwarden.demo.load import Visitors
from memwarden.errors import Failed
from memwarden.run.registry import api_of
from memwarden.terminal.numbers import Numbers, from_verdict

LIMIT: Final = "160MiB"
SUFFIXES: Final = (".html", ".md", ".json")
_READY_SECONDS: Final = 120.0
_END_SECONDS: Final = 30.0
_ASK_SECONDS: Final = 1.0


@dataclass(slots=True)
class Shop:
    """`title` is for people; `report` is where its reports go, without suffix."""

    title: str
    report: Path
    process: subprocess.Popen[str]
    visitors: Visitors
    numbers: Numbers | None = field(default=None)

    @classmethod
    def open(
        cls, title: str, options: list[str], code: Path, scratch: Path, report: Path, longest: float
    ) -> "Shop":
        """Start it and its visitors, for `longest` seconds at most. Raises Failed when it doesn't open."""
        port_file = scratch / f"{report.name}.port"
        command = [sys.executable, "-m", "shop.app", "--port-file", str(port_file), *options]
        process = subprocess.Popen(
            [
                sys.executable, "-m", "memwarden", "run", "--quiet",
                "--duration", f"{longest:g}s", "--memory-limit", LIMIT,
                *(word for suffix in SUFFIXES for word in ("--report", f"{report}{suffix}")), "--", *command,
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(code), *_inherited()])},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        deadline = time.monotonic() + _READY_SECONDS
        while not port_file.exists():
            if process.poll() is not None:
                raise Failed(f"the demo's shop did not start: {_said(process)}")
            if time.monotonic() > deadline:
                process.terminate()
                raise Failed(
                    f"the demo's shop did not open within {_READY_SECONDS:.0f} s; the machine is too busy, try again"
                )
            time.sleep(0.05)
        visitors = Visitors(int(port_file.read_text()), seed=len(title))
        visitors.start()
        return cls(title, report, process, visitors)

    def ask(self) -> None:
        """Refresh `numbers` with what the judge says now; keeps the last where there is no answer."""
        api = api_of(self.process.pid)
        if api is None:
            return
        try:
            self.numbers = from_verdict(api.verdict(_ASK_SECONDS))
        except (ApiError, KeyError, TypeError):
            return

    def close(self) -> dict[str, Any]:
        """End the run and return its one verdict. Raises Failed."""
        self.process.terminate()  # it tells the shop, and reports once that has closed
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.process.terminate()
            raise Failed("a run of the demo did not end; run it again with --verbose") from error
        finally:
            self.visitors.leave()
        if self.process.returncode != 0:
            raise Failed(f"a run of the demo failed: {_said(self.process)}")
        report: dict[str, Any] = json.loads(self.report.with_suffix(".json").read_text(encoding="utf-8"))
        verdict: dict[str, Any] = report["verdicts"][0]
        return verdict

    def abandon(self) -> None:
        """End it early; the run cleans up after itself."""
        self.visitors.leave()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(_END_SECONDS)


def _inherited() -> list[str]:
    return [value] if (value := os.environ.get("PYTHONPATH")) else []


def _said(process: subprocess.Popen[str]) -> str:
    said = (process.stderr.read() if process.stderr else "").strip()
    return said.removeprefix("memwarden: ") or f"exit code {process.returncode}"
