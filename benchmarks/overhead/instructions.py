"""The quiet second figure: instructions, counted by Valgrind. They don't depend on what else the machine does, and say
nothing of caches and branches. What start and end cost is taken out by the difference of two amounts of work."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from overhead.programs import APPS, SERVERS, WebService
from overhead.variants import OURS, PLAIN

if TYPE_CHECKING:
    from overhead.measures import Bench

LITTLE, MORE = 2, 8
REQUESTS: Final = (100, 300)


def count(bench: "Bench", what: str) -> Iterator[dict[str, Any]]:
    if shutil.which("valgrind") is None:
        print("instructions are not counted: valgrind is not installed")
        return
    once = _requests if what in SERVERS else _loops
    counted = {variant: once(bench, what, variant) for variant in (PLAIN, OURS)}
    yield {
        "figure": "instructions",
        "variant": OURS,
        "unit": "ratio",
        "value": counted[OURS] / counted[PLAIN],
    }


def _loops(bench: "Bench", what: str, variant: str) -> int:
    command = [str(bench.python), str(APPS / "loops.py"), what]
    totals = []
    for turns in (LITTLE, MORE):
        folder = _log_folder(bench, f"{what}.{variant}.{turns}")
        subprocess.run(
            [*_valgrind(folder), *command], env=bench.sidecars.environment(variant), cwd=bench.folder,
            input=f"{turns}\n", text=True, capture_output=True, check=True,
        )  # fmt: skip
        totals.append(_total(folder))
    return totals[1] - totals[0]


def _requests(bench: "Bench", what: str, variant: str) -> int:
    totals = []
    for requests in REQUESTS:
        folder = _log_folder(bench, f"{what}.{variant}.{requests}")
        environment = bench.sidecars.environment(variant)
        service = WebService.start(bench.python, what, environment, bench.folder, _valgrind(folder))
        service.load.closed(50 + requests)
        service.stop()
        totals.append(_total(folder))
    return totals[1] - totals[0]


def _valgrind(folder: Path) -> Sequence[str]:
    return (
        "valgrind", "--tool=cachegrind", "--cache-sim=no", "--trace-children=yes",
        f"--log-file={folder}/%p", "--cachegrind-out-file=/dev/null",
    )  # fmt: skip


def _log_folder(bench: "Bench", name: str) -> Path:
    folder = bench.folder / name.replace(" ", "-")
    folder.mkdir()
    return folder


def _total(folder: Path) -> int:
    logs = "".join(path.read_text() for path in folder.iterdir())
    return sum(int(number.replace(",", "")) for number in re.findall(r"I +refs: +([\d,]+)", logs))
