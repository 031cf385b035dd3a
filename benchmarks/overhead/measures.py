"""What is measured of one interpreter: rows of figures, each with its interval."""

import math
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from overhead import interval
from overhead.programs import PROGRAM_CORE, Loop, WebService, memory_of, on_core, shuffled
from overhead.rounds import Amount, Round, Start, play
from overhead.variants import DISABLED, OTHERS, OURS, PLAIN, STOPPED, Sidecars

LOOPS: Final = ("json", "churn", "objects", "dicts")
PAIR: Final = (PLAIN, OURS)
REST: Final = (PLAIN, DISABLED, STOPPED, *OTHERS)
WEB: Final = Amount(warm_up=200, turns=15, a_turn=80, at_rate=40)
REST_WEB: Final = Amount(warm_up=100, turns=5, a_turn=60, at_rate=40)
LOOP: Final = Amount(warm_up=3, turns=12, a_turn=2)
REST_LOOP: Final = Amount(warm_up=1, turns=4, a_turn=1)
STARTS: Final = 60
FULL_ROUNDS: Final = 8
FULL_AVERAGE: Final = 256
"""Mean bytes between samples that fills every table of the probe."""
FILL: Final = """
import random, sys, types
def step(path):
    return path[0](path[1:]) if path else [None] * 9
def renamed(n):
    name = "step_%d_%s" % (n, "x" * 60)
    code = step.__code__.replace(co_name=name, co_qualname=name, co_firstlineno=n + 1)
    return types.FunctionType(code, globals())
steps = [renamed(n) for n in range(34000)]
chance = random.Random(1)
kept = [step(chance.choices(steps, k=4)) for turn in range(100000)]
print("ready", flush=True)
sys.stdin.read()
"""

Row = dict[str, Any]


def machine() -> str:
    """What kind of machine, in words that name no machine."""
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )  # fmt: skip
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} shared cores ({model}), {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"
    )


def interpreters() -> list[str]:
    """3.11 and 3.13: ours, and what pyenv or the system has."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))
    from harness import interpreter

    return [found for version in ("3.11", "3.13") if (found := interpreter(version))]


@dataclass(frozen=True, slots=True)
class Bench:
    python: Path
    folder: Path
    sidecars: Sidecars
    rounds: int
    other_rounds: int

    def web(self, name: str) -> Iterator[Row]:
        seen = self._rounds(PAIR, self._service(name), WEB, self.rounds)
        yield from ratios(seen, (OURS,))
        yield from more_memory(seen, OURS)
        yield from latencies(seen, OURS)
        value = 1000 * statistics.median(turn / WEB.a_turn for one in seen for turn in one.cpu[PLAIN])
        yield {"figure": "CPU a request, plain", "unit": "ms", "value": value}

    def web_beside(self, name: str) -> Iterator[Row]:
        """Parts of us turned off, and other profilers."""
        seen = self._rounds(REST, self._service(name), REST_WEB, self.other_rounds)
        yield from ratios(seen, REST[1:])
        for variant in REST[1:]:
            yield from more_memory(seen, variant)
            yield from latencies(seen, variant)

    def loop(self, name: str) -> Iterator[Row]:
        yield from ratios(self._rounds(PAIR, self._loop(name), LOOP, self.rounds), (OURS,))

    def loop_beside(self, name: str) -> Iterator[Row]:
        yield from ratios(self._rounds(REST, self._loop(name), REST_LOOP, self.other_rounds), REST[1:])

    def _service(self, name: str) -> Start:
        return lambda variant: WebService.start(
            self.python, name, self.sidecars.environment(variant), self.folder
        )

    def _loop(self, name: str) -> Start:
        return lambda variant: Loop.start(self.python, name, self.sidecars.environment(variant), self.folder)

    def _rounds(self, variants: Sequence[str], start: Start, amount: Amount, count: int) -> list[Round]:
        return [play(variants, start, amount, self.sidecars.halted) for _ in range(count)]

    def start_up(self) -> Iterator[Row]:
        """`python -c pass`, CPU time of the whole process."""
        seen: dict[str, list[float]] = {PLAIN: [], OURS: [], DISABLED: []}
        for _ in range(STARTS):
            for variant in shuffled(list(seen)):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                command = on_core(PROGRAM_CORE, [str(self.python), "-c", "pass"])
                subprocess.run(command, env=self.sidecars.environment(variant), check=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                seen[variant].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        for variant in (OURS, DISABLED):
            more = [1000 * (a - b) for a, b in zip(seen[variant], seen[PLAIN], strict=True)]
            yield figure("CPU time of start", variant, "ms more", interval.of_values(more))
        yield {
            "figure": "CPU time of start, plain",
            "unit": "ms",
            "value": 1000 * statistics.median(seen[PLAIN]),
        }

    def full_tables(self) -> Iterator[Row]:
        """The most memory that the probe can take: a program that fills its tables, published to a door that never
        answers."""
        more = []
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(self.folder / "silent"))
            door.listen()
            for _ in range(FULL_ROUNDS):
                used = {variant: self._filled(variant) for variant in (PLAIN, OURS)}
                more.append((used[OURS] - used[PLAIN]) / 2**20)
        yield figure("memory with all tables full", OURS, "MiB more", interval.of_values(more))

    def _filled(self, variant: str) -> int:
        environment = self.sidecars.environment(variant)
        if variant == OURS:
            environment |= {
                "MEMWARDEN_SOCKET": str(self.folder / "silent"),
                "MEMWARDEN_SAMPLING_BYTES": str(FULL_AVERAGE),
                "MEMWARDEN_CPU_BUDGET": "off",
            }
        process = subprocess.Popen(
            [str(self.python), "-c", FILL], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        used = memory_of(process.pid)["Rss"]
        process.communicate()
        return used


def figure(name: str, variant: str, unit: str, found: interval.Interval) -> Row:
    return {"figure": name, "variant": variant, "unit": unit, **asdict(found)}


def ratios(seen: Sequence[Round], variants: Sequence[str]) -> Iterator[Row]:
    for variant in variants:
        yield figure("CPU", variant, "ratio", interval.of_ratios([one.ratio(variant) for one in seen]))


def more_memory(seen: Sequence[Round], variant: str) -> Iterator[Row]:
    for kind in ("Rss", "Private_Dirty"):
        values = [one.more_memory(variant, kind) / 2**20 for one in seen]
        yield figure(f"memory, {kind}", variant, "MiB more", interval.of_values(values))


def latencies(seen: Sequence[Round], variant: str) -> Iterator[Row]:
    for percent in (50, 99):
        pairs = [
            quantile(one.latencies[variant], percent) / quantile(one.latencies[PLAIN], percent)
            for one in seen
        ]
        yield figure(f"latency p{percent}", variant, "ratio", interval.of_ratios(pairs))


def quantile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]
