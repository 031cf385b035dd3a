"""Who allocates what grows: sites of the user's own code, joined over stacks and processes.

A site is evidence only where it has enough samples, its old bytes grow (what a request needs dies young), and
together with the other growing sites it explains the growth of the heap.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memwarden_core.code import site_frame
from memwarden_core.recording import AGE_BOUNDS_SECONDS, FloatArray, Frame, Profile, Recording
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import is_departed
from memwarden_core.trend import mann_kendall, theil_sen, theil_sen_rows
from memwarden_core.verdict import Site


@dataclass(frozen=True, slots=True)
class SiteEvidence:
    """A site over all processes, with what speaks for it; `site` describes the process where it grows
    most."""

    site: Site
    live_bytes: float
    growth: float
    """Bytes per second, over all processes."""
    samples: int
    old_share: float
    """Growth of bytes older than `old_ticks` over all growth of the site."""
    rises: bool
    processes: int
    score: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """All sites, the likeliest leak first, and how much of the heap's growth the growing ones explain."""

    sites: tuple[SiteEvidence, ...]
    profiles: int
    heap_growth: float | None
    explained_share: float | None

    @property
    def top(self) -> SiteEvidence | None:
        return self.sites[0] if self.sites else None


@dataclass(slots=True)
class _Track:
    """Total bytes, old bytes and samples of one site in one process over the profiles of that process."""

    live: FloatArray
    old: FloatArray
    samples: FloatArray
    stacks: dict[int, float]


def attribute(
    recording: Recording, since: float, until: float, heap_growth: float | None, settings: JudgeSettings
) -> Attribution:
    """The sites between two moments. `heap_growth` in bytes per second is what they have to explain."""
    interval = max(recording.interval, 1e-3)
    per_process: dict[int, list[Profile]] = defaultdict(list)
    for profile in recording.profiles:
        if since - 5 * interval <= profile.time <= until and 0 <= profile.process < len(recording.processes):
            per_process[profile.process].append(profile)
    grid = _grid(per_process, settings)
    # The scope's own samples may go on when its last process is gone: who was there at the end has not departed.
    present = min(until, max((process.last_seen for process in recording.processes), default=until))
    found: dict[Frame, list[tuple[int, _Track]]] = defaultdict(list)
    for process, profiles in sorted(per_process.items()):
        if is_departed(recording.processes[process], present, interval, settings):
            continue
        for frame, track in _tracks(recording, process, profiles, grid, interval, settings).items():
            found[frame].append((process, track))
    ranked = _rank(found, grid, settings)
    evidence = [_evidence(recording, one, grid) for one in ranked[: settings.max_sites]]
    rising = sum(one.growth for one in ranked if one.rises)
    growing = sum(one.growth for one in ranked if one.growth > 0)
    explained = rising / heap_growth if heap_growth and heap_growth > 0 else None
    named = tuple(_with_share(item, growing) for item in evidence)
    return Attribution(named, int(grid.size), heap_growth, explained)


def _grid(per_process: Mapping[int, Sequence[Profile]], settings: JudgeSettings) -> FloatArray:
    """The moments at which sites are compared: those of the process with most profiles, thinned out
    evenly."""
    if not per_process:
        return np.empty(0)
    most = max(per_process.values(), key=len)
    times = np.unique(np.array([profile.time for profile in most], dtype=np.float64))
    if times.size > settings.max_profiles:
        chosen = np.linspace(0, times.size - 1, settings.max_profiles).round().astype(np.int64)
        times = times[chosen]
    return times


def _tracks(
    recording: Recording,
    process: int,
    profiles: Sequence[Profile],
    grid: FloatArray,
    interval: float,
    settings: JudgeSettings,
) -> dict[Frame, _Track]:
    ordered = sorted(profiles, key=lambda profile: profile.time)
    times = np.array([profile.time for profile in ordered])
    chosen = np.searchsorted(times, grid + interval, side="right") - 1
    # Profiles before the first grid point of this process: nothing was seen there, and nothing is made up.
    old_from = _old_bucket(interval, settings)
    prefixes = recording.processes[process].library_prefixes
    frames: dict[int, Frame | None] = {}
    tracks: dict[Frame, _Track] = {}
    for column, index in enumerate(chosen):
        if index < 0:
            continue
        profile = ordered[index]
        live = np.nan_to_num(profile.live_bytes)
        total, old = live.sum(axis=1), live[:, old_from:].sum(axis=1)
        samples = profile.samples.sum(axis=1)
        for row, stack in enumerate(profile.stacks.tolist()):
            if stack not in frames:
                known = 0 <= stack < len(recording.stacks)
                frames[stack] = site_frame(recording.stacks[stack], prefixes) if known else None
            frame = frames[stack]
            if frame is None:
                continue
            track = tracks.get(frame)
            if track is None:
                size = grid.size
                track = tracks[frame] = _Track(np.zeros(size), np.zeros(size), np.zeros(size), {})
            track.live[column] += total[row]
            track.old[column] += old[row]
            track.samples[column] += samples[row]
            if column == grid.size - 1:
                track.stacks[stack] = track.stacks.get(stack, 0.0) + float(total[row])
            else:
                track.stacks.setdefault(stack, 0.0)
    return tracks


def _old_bucket(interval: float, settings: JudgeSettings) -> int:
    """Index of the first age bucket that counts as old: its lower bound is the longest under `old_ticks`."""
    bounds = [bound for bound in AGE_BOUNDS_SECONDS if bound <= settings.old_ticks * interval]
    return max(1, len(bounds))


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A site with what it is ranked by."""

    frame: Frame
    tracks: Sequence[tuple[int, _Track]]
    live_bytes: float
    growth: float
    samples: int
    old_share: float
    rises: bool
    score: float


def _rank(
    found: Mapping[Frame, Sequence[tuple[int, _Track]]], grid: FloatArray, settings: JudgeSettings
) -> list[_Ranked]:
    """All sites, the likeliest leak first. Thousands of sites are measured in one pass each."""
    frames = list(found)
    if not frames:
        return []
    live, old, samples = (
        np.array([sum(getattr(track, name) for _, track in found[frame]) for frame in frames])
        for name in ("live", "old", "samples")
    )
    growth = theil_sen_rows(grid, live)
    grows = np.flatnonzero(growth > 0)
    old_share = np.zeros(len(frames))
    old_share[grows] = np.clip(theil_sen_rows(grid, old[grows]) / growth[grows], 0.0, 1.0)
    rises = np.zeros(len(frames), dtype=bool)
    for place in grows[_sampled_more(samples[grows], settings)].tolist():
        rises[place] = _rises(grid, live[place], float(growth[place]))
    ranked = []
    for place, frame in enumerate(frames):
        count = int(samples[place, -1]) if grid.size else 0
        certainty = (1.0 if rises[place] else 0.2) * min(1.0, count / settings.site_samples)
        ranked.append(
            _Ranked(
                frame=frame,
                tracks=found[frame],
                live_bytes=float(live[place, -1]) if grid.size else 0.0,
                growth=float(growth[place]),
                samples=count,
                old_share=float(old_share[place]),
                rises=bool(rises[place]),
                score=max(float(growth[place]), 0.0) * certainty * (0.3 + 0.7 * float(old_share[place])),
            )
        )
    ranked.sort(key=lambda one: (-one.score, -one.live_bytes, one.frame.file, one.frame.line))
    return ranked


def _evidence(recording: Recording, ranked: _Ranked, grid: FloatArray) -> SiteEvidence:
    tracks = ranked.tracks
    process, track = max(tracks, key=lambda item: (theil_sen(grid, item[1].live), item[1].live[-1:].sum()))
    stack_index = max(track.stacks, key=lambda index: (track.stacks[index], -index))
    site = Site(
        file=ranked.frame.file,
        line=ranked.frame.line,
        function=ranked.frame.function,
        pid=recording.processes[process].pid,
        live_bytes=float(track.live[-1]) if track.live.size else 0.0,
        growth_bytes_per_second=theil_sen(grid, track.live),
        growth_share=0.0,
        samples=int(track.samples[-1]) if track.samples.size else 0,
        stack=recording.stacks[stack_index],
    )
    return SiteEvidence(
        site=site,
        live_bytes=ranked.live_bytes,
        growth=ranked.growth,
        samples=ranked.samples,
        old_share=ranked.old_share,
        rises=ranked.rises,
        processes=sum(1 for _, one in tracks if one.live.size and one.live[-1] > 0),
        score=ranked.score,
    )


def _sampled_more(samples: FloatArray, settings: JudgeSettings) -> NDArray[np.bool_]:
    """By row, whether a site's samples rise beyond chance: they are a Poisson count (variance = mean)."""
    if samples.shape[1] < settings.site_profiles:
        return np.zeros(samples.shape[0], dtype=bool)
    early, _, late = (np.median(part, axis=1) for part in np.array_split(samples, 3, axis=1))
    return np.asarray(late - early >= np.maximum(3.0, 2 * np.sqrt(early)))


def _rises(grid: FloatArray, live: FloatArray, growth: float) -> bool:
    """Whether the bytes of a site rise beyond chance."""
    score, variance = mann_kendall(grid, live, growth)
    return bool(score > 0 and score >= 2.0 * variance**0.5)


def _with_share(item: SiteEvidence, growing: float) -> SiteEvidence:
    share = max(item.growth, 0.0) / growing if growing > 0 else 0.0
    return replace(item, site=replace(item.site, growth_share=min(1.0, share)))
