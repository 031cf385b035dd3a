"""Rounds: fresh processes of all variants, which get their work in turns, a little each."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from overhead.programs import Program, WebService, shuffled
from overhead.variants import PLAIN

RATE = 0.25
"""Of what the plain program manages: some profilers make it three times slower, and must still keep up."""
Start = Callable[[str], Program]


@dataclass(slots=True)
class Round:
    """What one set of processes took, by variant."""

    cpu: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each turn."""
    memory: dict[str, dict[str, int]] = field(default_factory=dict)
    latencies: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, variant: str) -> float:
        """The median of the turns': what else the machine did for a moment falls out."""
        pairs = zip(self.cpu[variant], self.cpu[PLAIN], strict=True)
        return statistics.median(mine / plain for mine, plain in pairs)

    def more_memory(self, variant: str, kind: str) -> int:
        return self.memory[variant][kind] - self.memory[PLAIN][kind]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much work a round is."""

    warm_up: int
    turns: int
    a_turn: int
    at_rate: int = 0
    """Requests a turn at a constant rate, for latencies."""


def play(
    variants: Sequence[str],
    start: Start,
    amount: Amount,
    when_warm: Callable[[], AbstractContextManager[None]],
) -> Round:
    seen = Round(cpu={name: [] for name in variants}, latencies={name: [] for name in variants})
    programs: dict[str, Program] = {}
    try:
        for name in shuffled(variants):
            programs[name] = start(name)
        for program in programs.values():
            program.work(amount.warm_up)
        with when_warm():
            for _ in range(amount.turns):
                for name in shuffled(variants):
                    seen.cpu[name].append(programs[name].work(amount.a_turn))
            seen.memory = {name: program.memory() for name, program in programs.items()}
            if amount.at_rate:
                _at_rate(programs, amount, seen)
    finally:
        for program in programs.values():
            program.stop()
    return seen


def _at_rate(programs: Mapping[str, Program], amount: Amount, seen: Round) -> None:
    rate = RATE * amount.a_turn / statistics.median(seen.cpu[PLAIN])
    for _ in range(amount.turns):
        for name in shuffled(list(programs)):
            program = programs[name]
            assert isinstance(program, WebService)
            seen.latencies[name] += program.load.open(amount.at_rate, rate)
