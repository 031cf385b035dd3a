"""The checks of the judge, in one order and under fixed names, with their numbers and a sentence for a
person."""

from typing import Final, NamedTuple

from memwarden_core.attribution import Attribution
from memwarden_core.discovery import tail
from memwarden_core.examination import Findings
from memwarden_core.growth import Growth, needed_gain
from memwarden_core.season import DAY, LEAST_PERIODS
from memwarden_core.settings import JudgeSettings
from memwarden_core.trend import WALK_BLOCKS
from memwarden_core.verdict import Gate
from memwarden_core.wording import amount, duration, percent, rate

TREND_GATES: Final = ("windows", "trend", "slope", "gain", "thirds", "drift", "step", "above-before")
SITE_GATES: Final = ("heap-explains", "site-samples", "site-ages", "sites-explain")
AT_MOST: Final = ("step",)
"""Gates whose value must not exceed the threshold; the others must reach it."""
NAMES: Final = (
    "watched",
    "season",
    *TREND_GATES,
    "still-growing",
    "not-slowing",
    "no-known-bound",
    "no-life-before",
    "no-new-threads",
    "load",
    *SITE_GATES,
    "strong-drift",
    "lasting",
    "confirmed",
)


class Known(NamedTuple):
    """Whether this growth is a leak that is known of the workload: by its site, and where no site explains it."""

    site: bool = False
    signal: bool = False


UNKNOWN: Final = Known()


def gates(
    findings: Findings,
    settings: JudgeSettings,
    allowed_chance: float = 1.0,
    known_since: float | None = None,
    known: Known = UNKNOWN,
) -> tuple[Gate, ...]:
    """All gates but "confirmed", which needs the verdicts before.

    `allowed_chance`: the rise must be rarer by chance than this, because so many others are watched (`discovery`).
    `known_since`: since when the verdicts before have seen growth without a break.
    """
    found = [_watched(findings, settings), _season(findings, settings)]
    growth = findings.growth
    if growth is None or findings.trouble:
        why = f"could not be checked: {findings.trouble or 'too few floors'}"
        found += [Gate(name, None, None, None, "", why) for name in NAMES[2:-1]]
        return tuple(found)
    found += _trend_gates(growth, settings)
    sites = _site_gates(findings, settings)
    attributed = all(gate.passed for gate in sites)
    found += _shape_gates(findings, growth, attributed, settings)
    found += [_no_known_bound(findings), _no_life_before(findings), _no_new_threads(findings)]
    found.append(_load(findings))
    found += sites
    found.append(_strong_drift(findings, growth, attributed, allowed_chance, settings))
    is_known = known.site if attributed else known.signal
    found.append(_lasting(findings, growth, attributed, known_since, is_known, settings))
    return tuple(found)


def passed(found: tuple[Gate, ...], names: tuple[str, ...] | str) -> bool:
    """Whether all gates of these names were made and passed."""
    wanted = (names,) if isinstance(names, str) else names
    by_name = {gate.name: gate.passed for gate in found}
    return all(by_name.get(name) is True for name in wanted)


def _watched(findings: Findings, settings: JudgeSettings) -> Gate:
    needed = settings.warm_up_ticks * findings.interval
    enough = findings.age >= needed and not findings.trouble
    text = findings.trouble or (
        f"watched for {duration(findings.age)}, the last {duration(findings.watched)} of it without warm-up"
    )
    return Gate("watched", enough, findings.age, needed, "s", text)


def _season(findings: Findings, settings: JudgeSettings) -> Gate:
    needed = settings.season_strength
    if findings.watched < LEAST_PERIODS * DAY:
        text = f"a daily rhythm can be told from a trend after {LEAST_PERIODS} days"
        return Gate("season", None, None, needed, "ratio", text)
    if not findings.seasons:
        text = "memory has no daily or weekly rhythm that would have to be taken out"
        return Gate("season", True, 0.0, needed, "ratio", text)
    strongest = max(findings.seasons, key=lambda one: one.swing)
    name = "daily" if strongest.period == DAY else "weekly"
    text = f"a {name} rhythm of {amount(strongest.swing)} was taken out before the growth was judged"
    return Gate("season", True, strongest.strength, needed, "ratio", text)


def _trend_gates(growth: Growth, settings: JudgeSettings) -> list[Gate]:
    t = growth.trend
    span = duration(t.span)
    needed = needed_gain(t.start_level, settings)
    rises = "rose by" if t.rise >= 0 else "fell by"

    def gate(name: str, ok: bool, value: float, threshold: float, unit: str, text: str) -> Gate:
        return Gate(name, ok, _finite(value), threshold, unit, text)

    return [
        gate(
            "windows", t.points >= settings.min_windows, t.points, settings.min_windows, "windows",
            f"{t.points} windows of {duration(growth.floors.window_seconds)} have a lowest value each",
        ),
        gate(
            "trend", t.mann_kendall_z >= settings.trend_z, t.mann_kendall_z, settings.trend_z, "z",
            "later floors are higher than earlier ones far more often than chance does it"
            if t.mann_kendall_z >= settings.trend_z
            else "later floors are not higher than earlier ones more often than chance does it",
        ),
        gate(
            "slope", t.lower > 0, t.lower, 0.0, "By/s",
            f"floors change by {rate(t.slope)}, 95 % sure between {rate(t.lower)} and {rate(t.upper)}",
        ),
        gate(
            "gain", t.rise >= needed, t.rise, needed, "By",
            f"floors {rises} {amount(abs(t.rise))} in {span}; {amount(needed)} or less is the allocator",
        ),
        gate(
            "thirds", t.smaller_third >= settings.third_share, t.smaller_third, settings.third_share, "ratio",
            "memory rose from the first third to the second and from the second to the last"
            if t.smaller_third >= settings.third_share
            else "memory did not rise in both halves of the time: it stood still for a part of it",
        ),
        gate(
            "drift", t.drift_t >= settings.drift_t, t.drift_t, settings.drift_t, "t",
            "the rise is more than memory that wanders up and down would make"
            if t.drift_t >= settings.drift_t
            else "memory that just wanders up and down could look like this",
        ),
        gate(
            "step", t.largest_step <= settings.step_share, t.largest_step, settings.step_share, "ratio",
            f"the largest single jump carries {percent(min(t.largest_step, 9.99))} of the rise"
            if t.rise > 0
            else "there is no rise that a jump could carry",
        ),
        gate(
            "above-before", growth.above_before >= settings.before_share, growth.above_before,
            settings.before_share, "ratio",
            "memory is higher than it ever was before this growth began"
            if growth.above_before >= settings.before_share
            else "memory has been about as high before, and came down again",
        ),
    ]  # fmt: skip


def _shape_gates(findings: Findings, growth: Growth, attributed: bool, settings: JudgeSettings) -> list[Gate]:
    needed = settings.still_growing if attributed else settings.still_growing_unattributed
    slower = findings.slower
    s = growth.shape if slower is None else slower.shape
    slowing = growth.slowing_ratio(findings.interval, settings)
    slows = s.slows(slowing, settings)
    ratio = min(s.late_over_early, 9.0)
    return [
        Gate(
            "still-growing", ratio >= needed, ratio, needed, "ratio",
            f"in the last third memory grew at {percent(ratio)} of the pace of the first third",
        ),
        Gate(
            "not-slowing", not slows, s.end_over_start, slowing, "ratio",
            f"growth slows as a filling cache does: a curve towards {amount(s.bound)} fits better than a line"
            if slows
            else "growth does not slow towards a bound"
            if slower is None
            else f"growth slows only as the program does: it gets {percent(slower.pace)} of the work done that it "
            "did before, and grows by as much with each piece of it",
        ),
    ]  # fmt: skip


def _no_known_bound(findings: Findings) -> Gate:
    into = findings.filling
    if into is None:
        text = "it does not go into a cache whose bound is known and not met yet"
        return Gate("no-known-bound", True, None, None, "ratio", text)
    text = f"it goes into {into.name}, {into.holds}; some {amount(into.still_to_come)} are still to come"
    return Gate("no-known-bound", False, into.share, None, "ratio", text)


def _no_life_before(findings: Findings) -> Gate:
    rested = findings.rested
    if rested is None:
        text = "no life before this one came to rest at more memory than is held now"
        return Gate("no-life-before", True, None, None, "By", text)
    text = (
        f"its life before came to rest at {amount(rested.level)}, where it stayed for "
        f"{duration(rested.until - rested.since)}: that is not reached yet"
    )
    return Gate("no-life-before", False, rested.level, None, "By", text)


def _no_new_threads(findings: Findings) -> Gate:
    threads = findings.beside.threads
    if threads is None:
        text = "memory does not rise step by step with the number of threads"
        return Gate("no-new-threads", True, None, None, "threads", text)
    text = f"it comes with {threads.more} new threads, {amount(threads.bytes_each)} each: a pool that starts is no leak"
    return Gate("no-new-threads", False, threads.more, None, "threads", text)


def _load(findings: Findings) -> Gate:
    work = findings.load
    if work is None:
        return Gate("load", True, None, None, "ratio", "no load is known that could explain the growth")
    if work.explains:
        text = f"{work.name} rose by {percent(work.rise)} along with memory: more work may explain it"
    else:
        text = f"{work.name} changed by {work.rise * 100:+.0f} %: more work does not explain the growth"
    return Gate("load", not work.explains, work.correlation, None, "correlation", text)


def _site_gates(findings: Findings, settings: JudgeSettings) -> list[Gate]:
    share = findings.heap_share
    sites = findings.attribution
    if share is None:
        why = "could not be checked: memory does not grow or no process tells of its heap"
        return [Gate(name, None, None, None, "", why) for name in SITE_GATES]
    heap = Gate(
        "heap-explains", share >= settings.heap_share, share, settings.heap_share, "ratio",
        f"live objects of Python grow at {percent(max(0.0, share))} of the pace of the memory",
    )  # fmt: skip
    top = sites.top if sites is not None else None
    if sites is None or top is None:
        why = "could not be checked: no allocation sites were seen"
        return [heap] + [Gate(name, None, None, None, "", why) for name in SITE_GATES[1:]]
    return [heap, *_of_sites(sites, settings)]


def _of_sites(sites: Attribution, settings: JudgeSettings) -> list[Gate]:
    top = sites.top
    assert top is not None
    name = f"{top.site.function}()"
    explained = sites.explained_share
    enough = top.samples >= settings.site_samples and sites.profiles >= settings.site_profiles
    leads = top.rises and top.growth >= settings.site_top_share * (sites.heap_growth or 0.0)
    return [
        Gate(
            "site-samples", enough, top.samples, settings.site_samples, "samples",
            f"{top.samples} live samples of {name} in {sites.profiles} profiles",
        ),
        Gate(
            "site-ages", top.old_share >= settings.old_share, top.old_share, settings.old_share, "ratio",
            f"{percent(top.old_share)} of what {name} adds grows old: it is kept, not used and dropped",
        ),
        _explain(explained, leads, name, settings),
    ]  # fmt: skip


def _explain(explained: float | None, leads: bool, name: str, settings: JudgeSettings) -> Gate:
    if explained is None:
        text = "the live heap does not grow"
    else:
        lead = f"{name} leads" if leads else "no site stands out"
        text = f"growing sites account for {percent(min(explained, 1.0))} of the heap's growth; {lead}"
    ok = explained is not None and explained >= settings.site_share and leads
    return Gate("sites-explain", ok, explained, settings.site_share, "ratio", text)


def chance(findings: Findings, growth: Growth, attributed: bool, settings: JudgeSettings) -> float:
    """P that floors without drift rise as clearly: one-sided, of the t that `strong-drift` asks for.

    Where it is no allocator's, the sign test may say it too: bursts of all sizes make a poor t, and are no chance.
    """
    is_beyond = _beyond_allocator(findings, growth, attributed, settings)
    by_size = tail(*_certainty(growth, is_beyond))
    return min(by_size, growth.trend.sign_chance) if is_beyond else by_size


def _beyond_allocator(findings: Findings, growth: Growth, attributed: bool, settings: JudgeSettings) -> bool:
    """Whether this growth is no allocator's wandering: sites explain it, or it has gone on for very long."""
    return attributed or growth.is_long(findings.interval, settings)


def _certainty(growth: Growth, is_beyond: bool) -> tuple[float, int]:
    """(t, its degrees of freedom)."""
    t = growth.trend
    if is_beyond or t.drift_t <= t.walk_t:
        return t.drift_t, t.points - 2
    return t.walk_t, WALK_BLOCKS - 2


def _strong_drift(
    findings: Findings, growth: Growth, attributed: bool, allowed_chance: float, settings: JudgeSettings
) -> Gate:
    is_beyond = _beyond_allocator(findings, growth, attributed, settings)
    value, degrees = _certainty(growth, is_beyond)
    needed = settings.drift_t_leak if is_beyond else settings.walk_t_unattributed
    found = chance(findings, growth, attributed, settings)
    ok = found <= tail(needed, degrees)
    rare = found <= allowed_chance
    if ok and not rare:
        text = "among so many workloads that are watched, one rises as clearly by chance"
    elif ok and value < needed:
        text = "its steps differ in size, but hardly any goes down: no chance does that so often"
    elif ok:
        text = "the rise is certain enough to be told again and again without a false alarm"
    else:
        text = "the rise is likely, not yet certain enough for a run that is judged hundreds of times"
    return Gate("strong-drift", ok and rare, value, needed, "t", text)


def lasting_needed(findings: Findings, growth: Growth, attributed: bool, settings: JudgeSettings) -> float:
    """Seconds that a growth must have gone on to be called a leak.

    A share of the time that is left until the limit, since who has time can see whether it ends by itself; within what
    the settings allow."""
    interval = findings.interval
    least = (settings.lasting_ticks if attributed else settings.lasting_unattributed_ticks) * interval
    most = settings.patient_ticks * interval
    if attributed and _calm_before(findings, growth) >= settings.calm_before_ticks * interval:
        most = settings.calm_ticks * interval
    left = time_left(findings, growth)
    if left is None:
        return max(least, most)
    reserve = settings.least_patience * left
    if left <= settings.soon_seconds:
        promised = settings.slowness * settings.found_within_seconds(interval)
        to_spend = promised * (1 - settings.warm_up_share) - settings.overhead_ticks * interval
        in_time = to_spend / (1 + settings.confirm_share)
        most, reserve = min(most, in_time), min(reserve, in_time)
        if attributed:
            # Caches fill in seconds, not in ticks: fewer slow ticks are as much patience; floors need some.
            least = min(least, max(in_time, settings.min_windows * settings.window_ticks * interval))
    hurried = min(settings.calm_ticks * interval, settings.haste * left)
    return max(least, min(most, max(settings.patience * left, hurried)), reserve)


def _calm_before(findings: Findings, growth: Growth) -> float:
    """Seconds of the segment before the growth began."""
    return growth.since - findings.segment.start if findings.segment is not None else 0.0


def time_left(findings: Findings, growth: Growth) -> float | None:
    """Seconds to the limit at the pace of now; None without a limit or growth."""
    if findings.limit is None or findings.anon is None or growth.trend.slope <= 0:
        return None
    return max(0.0, findings.limit.bytes - findings.anon) / growth.trend.slope


def _lasting(
    findings: Findings,
    growth: Growth,
    attributed: bool,
    known_since: float | None,
    is_known: bool,
    settings: JudgeSettings,
) -> Gate:
    needed = lasting_needed(findings, growth, attributed, settings)
    if is_known:
        needed *= settings.known_share
    went_on = growth.duration
    if known_since is not None:
        went_on = max(went_on, float(growth.floors.time[-1]) - known_since)
    ok = went_on >= needed
    why = ", no more as it is a leak known before" if is_known else ""
    text = f"it has grown for {duration(went_on)}; {duration(needed)} are needed{why}"
    return Gate("lasting", ok, went_on, needed, "s", text)


def _finite(value: float) -> float:
    return max(-1e300, min(1e300, value))
