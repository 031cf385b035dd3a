"""What a benchmark says: a figure, its target, and the reference that was measured in the same run."""

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`at_most`: the target is an upper bound. A figure without a target is told, not judged."""

    row: str
    what: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = False
    reference: str = ""
    reference_value: float | None = None
    note: str = ""
    load: float = 0.0
    """Load average of the machine when it was taken."""

    @property
    def holds(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    @property
    def ratio(self) -> float | None:
        """Ours to the reference's; None without one."""
        return self.value / self.reference_value if self.reference_value else None


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done: 1 is what the kept result was made with."""

    factor: float = 1.0
    rounds: int = 3

    def count(self, whole: int, least: int = 1) -> int:
        return max(least, round(whole * self.factor))


def load_average() -> float:
    return round(os.getloadavg()[0], 1)


def interleaved(rounds: int, *ways: Callable[[], float]) -> list[float]:
    """The median of each way's figures; the ways take turns, so that what else the machine does hits all of them."""
    found: list[list[float]] = [[] for _ in ways]
    for number in range(rounds):
        order: Sequence[int] = range(len(ways)) if number % 2 == 0 else range(len(ways) - 1, -1, -1)
        for place in order:
            found[place].append(ways[place]())
    return [statistics.median(one) for one in found]
