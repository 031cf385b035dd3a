"""Every threshold of the judge, in one place, each with its reason.

Durations are counted in ticks (samples), not seconds: the judge follows `Recording.interval`, so a leak that
is found after 70 s at 1 s ticks is found after 70 × 15 s at 15 s ticks. Values were set on generated series
(`benchmarks/judge_families.py`) and are to be fitted again on recorded programs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

SENSITIVITY_LABEL: Final = "sensitivity"
"""Of a recording: what its owner wants instead of the usual; one of `Sensitivity`."""
WARM_UP_LABEL: Final = "warm_up_seconds"
"""Of a recording: how long after its start it is not judged."""


class Sensitivity(StrEnum):
    """The one dial: how soon and how boldly a leak is called. docs/reference/judge.md has what each costs."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """Thresholds of the judge; docs/reference/judge.md lists them, and a test compares."""

    sensitivity: Sensitivity = Sensitivity.NORMAL
    """The position of the dial that these belong to: how sure a verdict is was fitted for each."""

    # ── Time ─────────────────────────────────────────────────────────────────────────────────────────────
    settle_ticks: int = 5
    """Ticks after a start that are never judged: the interpreter loads modules."""
    warm_up_share: float = 1 / 3
    """At most this share of a segment is dropped as warm-up; more would let a program warm up for ever."""
    warm_up_ticks: int = 30
    """Before so many ticks the verdict is `WarmingUp`, whatever the numbers say."""
    lasting_ticks: int = 55
    """Growth with a known site must have gone on so long, however near the limit is. Caches that fill within it are
    never convicted."""
    lasting_unattributed_ticks: int = 80
    """Growth that no site explains must go on longer: C libraries have caches and arenas too."""
    patience: float = 0.5
    """Growth must have gone on for this share of the time that it would take to the limit: a cache that fills for a
    while is told from a leak by waiting, and waiting costs that share of what is left."""
    calm_ticks: int = 85
    """… and for so long in any case, where the limit leaves time: a load of all data at the start is done by then."""
    haste: float = 0.5
    """… it leaves none where that is more than this share of what is left."""
    patient_ticks: int = 350
    """… but no longer than this, also where no limit is known (an hour and a half of 15-second ticks)."""
    calm_before_ticks: int = 90
    """After so long without growth `calm_ticks` are patience enough: caches fill from the start on."""
    least_patience: float = 0.05
    """… unless that is below this share of it: what needs days to the limit is not called a leak after minutes."""
    known_share: float = 1 / 3
    """Growth that is a leak known of this workload must last this share of all that: it has been waited for before."""
    soon_seconds: float = 6000.0
    """Growth that needs less to the limit (1 % of it a minute) is to be found within `found_within_seconds`."""
    slowness: float = 1.0
    """… times this."""
    overhead_ticks: int = 12
    """What is spent of that on starting, windows and the judge's own rhythm; `warm_up_share` of it
    may go to warm-up before."""
    confirm_ticks: int = 4
    """A second judgement, so many ticks later, must agree before `Leaking` is said …"""
    confirm_share: float = 0.2
    """… and all of them for this share of what the growth had to last: a moment does not end a long wait."""
    long_ticks: int = 300
    """Growth that went on for so long needs no more certainty without a site than with one: allocators have settled."""
    stop_ticks: int = 30
    """`Leaking` is withdrawn after so many ticks without growth. So long a cache that became full still explains what
    grew until then."""
    gap_ticks: int = 30
    """A longer silence cuts the segment: nobody knows what happened meanwhile (a laptop slept)."""
    departed_ticks: int = 3
    """A process that was last seen longer ago than this, and has ended, is out of the sum."""

    # ── Floors ───────────────────────────────────────────────────────────────────────────────────────────
    window_ticks: int = 2
    """Shortest window: a minimum of one value is no floor."""
    target_windows: int = 40
    """Windows aimed at; they become longer as time passes, and with them the sawtooth they see through."""
    min_windows: int = 12
    """Fewer floors and no test of a trend means anything."""
    shortest_scale_ticks: int = 48
    """A growth that began late is looked for in the last half, quarter, … of the segment, down to this."""

    # ── Trend ────────────────────────────────────────────────────────────────────────────────────────────
    trend_z: float = 2.6
    """Mann-Kendall score with Hamed-Rao's correction (2.6: one chance in a hundred, both sides)."""
    gain_share: float = 0.03
    """Growth below 3 % of the memory is what allocators do by themselves."""
    gain_bytes: float = 2 * 2**20
    """Two arenas of CPython (1 MiB each): less cannot be told from one arena that stays."""
    third_share: float = 0.15
    """Each step from one third's median to the next carries at least this share of the rise (a line:
    half)."""
    step_share: float = 0.5
    """A jump that carries more than this share of the rise is a step, not a trend."""
    drift_t: float = 3.0
    """Drift against persistent noise (a random walk has none); enough for `Growing`."""
    drift_t_leak: float = 4.5
    """The same for `Leaking`: a run is judged hundreds of times, chance must have no hundred tries."""
    walk_t_unattributed: float = 6.0
    """Where no site is known, the floors of ten blocks must have steps that no random walk makes (t with
    eight degrees of freedom): an allocator that wanders must not be taken for a leak of a C library."""
    before_share: float = 0.5
    """So much of the rise must lie above everything seen before the growth began (else: a sawtooth's
    ramp)."""

    # ── Season ───────────────────────────────────────────────────────────────────────────────────────────
    season_strength: float = 0.5
    """A daily or weekly rhythm is believed when other days foretell half of what moves around the trend."""

    # ── Leak, cache, fragmentation, load ─────────────────────────────────────────────────────────────────
    still_growing: float = 0.5
    """Slope of the last third over the slope of the first; below, growth is coming to its end."""
    still_growing_unattributed: float = 0.65
    """The same where no site is known."""
    slowing_bic: float = 6.0
    """Difference of BIC by which a curve towards a bound must beat a line (6: strong, Kass and Raftery
    1995)."""
    slowing_ratio: float = 0.65
    """… and by which its slope must have fallen from the first to the last moment, to be called slowing …"""
    long_slowing_ratio: float = 0.5
    """… after `long_ticks` by more: a store whose keys come again ever more often slows for ever and has no bound."""
    settled_ratio: float = 0.25
    """Growth in the last part below this share of the whole: it has come to rest."""
    full_share: float = 0.98
    """A cache with so much of its bound is full: growth that goes on is not its."""
    bytes_room: float = 1.5
    """Bytes that a cache's code counts become so many times as many in memory: a text's header, a dict's slots."""
    census_points: int = 4
    """So many counts of a cache's entries are needed to say that memory goes in step with them; twice as many where the
    bound is that of a class outside the standard library."""
    census_fit: float = 0.95
    """… and so much of the memory's movement they must explain (R²)."""
    crew_threads: int = 8
    """So many new threads, with memory in step, are a pool that starts …"""
    pool_threads: int = 64
    """… up to so many. More are none: threads without end are a leak themselves …"""
    pool_ticks: int = 300
    """… and so are threads that come for longer than this, however few."""
    load_rise: float = 0.2
    """CPU time and allocation rate must rise by so much to count as a reason."""
    load_correlation: float = 0.8
    """… and go along with memory so closely."""
    load_closeness: float = 8.0
    """… and leave at most so many times as much of its movement unexplained as the mere passing of time does."""
    load_excess: float = 1.5
    """Memory that rises by more than so many times the load's rise is not the load's."""
    work_excess: float = 5.0
    """Allocations count as work where there are so many times more of them than growth: else they are the growth."""
    slower_share: float = 0.8
    """The program got less done: its last third's work is at most this share of the first third's …"""
    rest_share: float = 0.25
    """… and at least this share of it: below, it has come to rest."""
    heap_share: float = 0.5
    """The live heap must explain this share of the growth, else the growth is not attributed."""
    flat_heap_share: float = 0.2
    """Heap growth below this share of the memory's growth counts as flat."""
    stopped_upper: float = 0.7
    """To take `Leaking` back, even the upper end of the recent slope must be below this share of the
    leak's."""
    held_share: float = 0.25
    """Memory given back by the heap but kept by the process, as a share of all, to be called fragmented."""

    # ── Sites ────────────────────────────────────────────────────────────────────────────────────────────
    site_samples: int = 10
    """Fewer samples behind a site and its size is a guess (relative error 1/√10 = 32 %)."""
    site_profiles: int = 6
    """Fewer profiles since the growth began and a site has no slope."""
    site_share: float = 0.5
    """Growing sites together explain at least this share of the heap's growth."""
    site_top_share: float = 0.15
    """A site carries at least this share of the heap's growth to be named as the cause."""
    old_share: float = 0.5
    """Bytes older than `old_ticks` grow at least so fast, as a share of all growth of the site."""
    old_ticks: int = 10
    """Older than this is no longer the memory of a request."""
    max_sites: int = 10
    """Sites listed."""
    max_types: int = 10
    """Types listed."""
    max_profiles: int = 120
    """Profiles read per process; more are thinned out evenly."""

    # ── Forecast ─────────────────────────────────────────────────────────────────────────────────────────
    horizon_seconds: float = 3600.0
    """`AtRisk`: the limit will be met within this time."""
    forecast_cap_seconds: float = 30 * 86400.0
    """Longer times are given as this: nobody plans by them."""
    forecast_spread: float = 4.0
    """Variance of growth ahead over that of the past; so chosen on the training programs that P10 to P90 holds four
    fifths of what came."""
    bootstrap_rounds: int = 400
    """Draws behind the quantiles."""
    bootstrap_seed: int = 20261121
    """Fixed, so that the same recording has the same verdict."""

    @staticmethod
    def found_within_seconds(interval: float) -> float:
        """What is promised for leaks of 1 % of the limit a minute: 5 minutes at ticks up to 5 s, else 20."""
        return 300.0 if interval <= 5 else 1200.0

    def wished(self, labels: Mapping[str, str], interval: float) -> "JudgeSettings":
        """As the labels of a recording want it. What can't be read is as if it were not there: a label is free text."""
        made, wanted = self, labels.get(SENSITIVITY_LABEL, "")
        if wanted in tuple(Sensitivity):
            made = JudgeSettings.of(Sensitivity(wanted))
        try:
            seconds = float(labels.get(WARM_UP_LABEL, ""))
        except ValueError:
            return made
        if not (math.isfinite(seconds) and seconds > 0 and interval > 0):
            return made
        return replace(made, warm_up_ticks=max(made.settle_ticks + 1, math.ceil(seconds / interval)))

    @classmethod
    def of(cls, sensitivity: Sensitivity) -> "JudgeSettings":
        """The settings of one position of the dial. Only how long and how certain a growth must be changes: what a
        growth is, and what else may explain it, stays the same."""
        usual = cls()
        if sensitivity is Sensitivity.LOW:
            return replace(
                usual,
                sensitivity=sensitivity,
                slowness=2 * usual.slowness,
                lasting_ticks=2 * usual.lasting_ticks,
                patience=0.8,
                patient_ticks=2 * usual.patient_ticks,
                calm_ticks=2 * usual.calm_ticks,
                least_patience=2 * usual.least_patience,
                lasting_unattributed_ticks=2 * usual.lasting_unattributed_ticks,
                confirm_ticks=3 * usual.confirm_ticks,
                drift_t_leak=6.0,
                walk_t_unattributed=8.0,
            )
        if sensitivity is Sensitivity.HIGH:
            return replace(
                usual,
                sensitivity=sensitivity,
                patience=0.1,
                patient_ticks=165,
                least_patience=0.03,
                confirm_share=0.0,
            )
        return usual
