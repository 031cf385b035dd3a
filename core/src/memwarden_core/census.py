"""Types whose objects pile up, from the census of the probe. Shown beside the sites; never enough to
convict."""

from memwarden_core.floors import floors
from memwarden_core.recording import Recording
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import OBJECTS_COUNT, OBJECTS_SIZE, clean
from memwarden_core.trend import theil_sen
from memwarden_core.verdict import TypeGrowth


def growing_types(
    recording: Recording, since: float, until: float, settings: JudgeSettings
) -> tuple[TypeGrowth, ...]:
    """Types with more objects now than when the growth began, those that grow by most bytes first."""
    found: list[tuple[float, TypeGrowth]] = []
    interval = max(recording.interval, 1e-3)
    for key, series in recording.series.items():
        if key.metric != OBJECTS_COUNT or key.process is None or key.process >= len(recording.processes):
            continue
        count = clean(series, until)
        recent = count.time >= since
        if recent.sum() < 3:
            continue
        lows = floors(count.time[recent], count.value[recent], interval, settings)
        slope = theil_sen(lows.time, lows.value)
        now = float(count.value[-1])
        if slope <= 0 or now <= float(count.value[recent][0]) * (1 + settings.gain_share):
            continue
        sizes = recording.series.get(key._replace(metric=OBJECTS_SIZE))
        size = clean(sizes, until) if sizes is not None else None
        total = float(size.value[-1]) if size is not None and size.time.size else 0.0
        grown = slope * (total / now if now > 0 and total > 0 else 1.0)
        pid = recording.processes[key.process].pid
        found.append((grown, TypeGrowth(key.attribute, pid, now, total, slope)))
    found.sort(key=lambda item: (-item[0], item[1].name))
    return tuple(item for _, item in found[: settings.max_types])
