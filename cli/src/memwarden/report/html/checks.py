"""The judge's checks in plain words: for each a question, why it is asked, and its numbers as a person says them.

The names are the judge's (`memwarden_core.gates.NAMES`); a test holds both together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from memwarden_api.report import Gate
from memwarden_core.gates import AT_MOST
from memwarden_core.wording import amount, duration, percent, rate


@dataclass(frozen=True, slots=True)
class Words:
    question: str
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    names: tuple[str, ...]


GROUPS: Final = (
    Group("Was it watched long enough?", ("watched", "windows")),
    Group(
        "Does memory really rise?",
        ("season", "trend", "slope", "gain", "thirds", "drift", "step", "above-before"),
    ),
    Group(
        "Could it be a cache, or more work?",
        ("still-growing", "not-slowing", "no-known-bound", "no-life-before", "no-new-threads", "load"),
    ),
    Group("Is it known who keeps it?", ("heap-explains", "site-samples", "site-ages", "sites-explain")),
    Group("Is it certain enough to say leak?", ("strong-drift", "lasting", "confirmed")),
)

WORDS: Final = {
    "watched": Words(
        "Was the program watched long enough?",
        "Every program takes memory while it starts. That part is left aside, and enough must remain.",
    ),
    "windows": Words(
        "Are there enough low points to compare?",
        "The time is cut into windows; the lowest memory of each, its floor, is what could not be freed.",
    ),
    "season": Words(
        "Is it more than the time of day?",
        "Memory that follows the clock is compared with the same time on other days. The number says how much of its "
        "ups and downs other days foretell.",
    ),
    "trend": Words(
        "Are later low points higher than earlier ones?",
        "Each low point is compared with each later one (Mann-Kendall test). By pure chance the score stays "
        "between −2.6 and 2.6 in 99 of 100 runs.",
    ),
    "slope": Words(
        "Is even the most careful estimate of the growth above zero?",
        "The growth is only known within a range (Theil-Sen slope, 95 %). Its lower end must lie above zero.",
    ),
    "gain": Words(
        "Has it grown by more than the allocator's own ups and downs?",
        "Memory is handed out in blocks of a megabyte and more; a block or two is no leak.",
    ),
    "thirds": Words(
        "Did it grow all the time, not only once?",
        "The time is cut in three. Memory must have risen from the first part to the second, and on to the last; "
        "each step carries at least this share of the rise.",
    ),
    "drift": Words(
        "Is it more than wandering up and down?",
        "Memory that moves at random also ends up higher now and then. The score says how far beyond that it is.",
    ),
    "step": Words(
        "Is it a slope and not a single jump?",
        "A table that is loaded once makes a jump. No single jump may carry more than this share of the rise.",
    ),
    "above-before": Words(
        "Is memory higher than ever before?",
        "A program that works in batches rises again and again, and comes down. This share of the rise must lie above "
        "all that was seen before.",
    ),
    "still-growing": Words(
        "Does it still grow?",
        "The pace of the last third over the pace of the first third: a cache that has filled slows down.",
    ),
    "not-slowing": Words(
        "Does it grow without an end in sight?",
        "A curve that flattens towards a bound is fitted beside a straight line. The number is the pace at the end "
        "over the pace at the start.",
    ),
    "no-known-bound": Words(
        "Is it no cache that is still filling?",
        "Some caches tell their bound, of others it stands in the code. Growth into one that is not full yet ends by "
        "itself. The number is how full it is.",
    ),
    "no-life-before": Words(
        "Is it more than it needed in its life before?",
        "A process that was started again fills up again. Where its life before came to rest at more memory than is "
        "held now, growth up to there is expected. The number is that level.",
    ),
    "no-new-threads": Words(
        "Does it grow without new threads?",
        "A pool that starts one thread after another takes more memory with each, and is complete some day. The number "
        "is how many were started.",
    ),
    "load": Words(
        "Does it grow without more work to do?",
        "More requests need more memory. Processor time and allocations are compared with the memory.",
    ),
    "heap-explains": Words(
        "Is it the program's objects that grow?",
        "The bytes of living objects are measured inside the program, and their growth compared with the memory's.",
    ),
    "site-samples": Words(
        "Was the line of code seen often enough?",
        "Allocations are sampled. With ten samples a size is right to about a third; with a hundred, to a tenth.",
    ),
    "site-ages": Words(
        "Is it kept rather than used and dropped?",
        "Memory of a request dies young. This share of what the line adds must have grown old.",
    ),
    "sites-explain": Words(
        "Do the lines found explain the growth?",
        "All growing lines together must account for this share of the growth of living objects, and one must lead.",
    ),
    "strong-drift": Words(
        "Is it certain enough to be told again and again?",
        "A run is judged hundreds of times. What is said once in a hundred tries by chance is not said at all.",
    ),
    "lasting": Words(
        "Has it gone on for long enough?",
        "Caches that fill quickly are given the time to come to rest.",
    ),
    "confirmed": Words(
        "Did other looks agree?",
        "A leak is only said when judgements have said so for a while: the longer it was watched, the longer.",
    ),
}  # fmt: skip


def words(gate: Gate) -> Words:
    """Its question; a check that this version does not know keeps its name."""
    return WORDS.get(gate.name, Words(gate.name, ""))


def groups(gates: tuple[Gate, ...]) -> list[tuple[str, list[Gate]]]:
    """The checks under their titles, in the order of the titles; unknown ones last."""
    found = [(group.title, [gate for gate in gates if gate.name in group.names]) for group in GROUPS]
    grouped = {name for group in GROUPS for name in group.names}
    found.append(("Other checks", [gate for gate in gates if gate.name not in grouped]))
    return [(title, members) for title, members in found if members]


_UNITS: Final[dict[str, Callable[[float], str]]] = {
    "By": amount,
    "By/s": rate,
    "s": duration,
    "ratio": percent,
    "correlation": lambda value: f"{value:.2f}, 1 is in step",
    "samples": lambda value: f"{value:.0f} samples",
    "windows": lambda value: f"{value:.0f} windows",
    "z": lambda value: f"score {value:.1f}",
    "t": lambda value: f"score {value:.1f}",
}


def asked(gate: Gate) -> str:
    """What is asked for, with the side of the threshold: "at least 12 windows"; "" where nothing is."""
    if gate.threshold is None:
        return ""
    if gate.threshold == 0:
        return "above zero"
    return f"{'at most' if gate.name in AT_MOST else 'at least'} {number(gate.threshold, gate.unit)}"


def number(value: float | None, unit: str) -> str:
    """A value or threshold with its unit; "" where there is none."""
    if value is None:
        return ""
    if abs(value) >= 1e15:
        return "beyond measure"
    text = _UNITS[unit](value) if unit in _UNITS else f"{value:.4g} {unit}".strip()
    return text.replace("-", "−")
