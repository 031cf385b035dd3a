"""How long 10 000 containers with a week of five-minute rollups take: the screen for all, the judge for its suspects.

`python benchmarks/judge_fleet.py`, on one core, against `predict_linear`'s formula (least squares over the week,
carried on) over the same arrays. Two in a hundred containers leak, the others follow the day.
"""

import argparse
import time

import numpy as np

from memwarden_core.judge import judge
from memwarden_core.recording import FloatArray, MemoryLimit, Recording, Series, SeriesKey
from memwarden_core.screen import screen
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import MEMORY_ANON
from memwarden_core.synthetic import EPOCH
from memwarden_core.verdict import Kind

TICK = 300.0
TICKS = 7 * 288
BOUND_SECONDS = 60.0
SCREEN_MS = 1.0
JUDGE_MS = 100.0


def memory(containers: int, seed: int = 3) -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """(bytes, shape (containers, TICKS); which of them leak)."""
    generator = np.random.default_rng(seed)
    level = generator.uniform(50e6, 800e6, (containers, 1))
    day = np.sin(2 * np.pi * (np.arange(TICKS) / 288 + generator.uniform(0, 1, (containers, 1))))
    swing = level * generator.uniform(0, 0.2, (containers, 1))
    noise = generator.normal(0, 0.01, (containers, TICKS)) * level
    leaks = np.arange(containers) % 50 == 0
    begun = generator.uniform(0, 0.6, (containers, 1)) * TICKS
    growth = (
        np.maximum(0.0, np.arange(TICKS) - begun)
        / TICKS
        * generator.uniform(0.5, 2.0, (containers, 1))
        * level
    )
    return level + swing * day + noise + np.where(leaks[:, None], growth, 0.0), leaks


def recording(row: FloatArray) -> Recording:
    moments = EPOCH + TICK * np.arange(row.size)
    series = {SeriesKey(MEMORY_ANON): Series(moments, row)}
    return Recording("c", "c", EPOCH, float(moments[-1]), TICK, MemoryLimit(4e9, "cgroup"), (), series)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=10_000)
    chosen = parser.parse_args()
    values, leaks = memory(chosen.containers)
    settings = JudgeSettings()

    begun = time.process_time()
    moments = TICK * np.arange(TICKS) - TICK * (TICKS - 1)
    design = np.vstack((moments, np.ones(TICKS))).T
    (slope, now), *_ = np.linalg.lstsq(design, values.T, rcond=None)
    alarms = slope * 4 * 3600 + now >= 4e9
    reference = time.process_time() - begun

    begun = time.process_time()
    found = screen(values, settings)
    screening = time.process_time() - begun

    begun = time.process_time()
    suspects = np.flatnonzero(found.suspect)
    called = []
    slowest = 0.0
    for index in suspects:
        at = time.process_time()
        verdict = judge(recording(values[index]), now=EPOCH + TICK * TICKS)
        slowest = max(slowest, time.process_time() - at)
        called.append(verdict.kind is Kind.LEAKING)
    judging = time.process_time() - begun

    convicted = np.zeros(chosen.containers, dtype=bool)
    convicted[suspects] = called
    whole = screening + judging
    print(
        f"{chosen.containers} containers, {TICKS} rollups each, {int(leaks.sum())} leak; CPU seconds of one process"
    )
    print(
        f"predict_linear's formula  {reference:8.2f} s   alarms {int(alarms.sum())}, "
        f"of leaks {int((alarms & leaks).sum())}"
    )
    print(
        f"screen                    {screening:8.2f} s   {1000 * screening / chosen.containers:.3f} ms each "
        f"(bound {SCREEN_MS}); passes on {suspects.size}, loses {int((leaks & ~found.suspect).sum())} leaks"
    )
    print(
        f"judge                     {judging:8.2f} s   {1000 * judging / max(1, suspects.size):.1f} ms each, slowest "
        f"{1000 * slowest:.0f} (bound {JUDGE_MS:.0f}); called leaking {int(convicted.sum())}, "
        f"of them leaks {int((convicted & leaks).sum())}"
    )
    print(
        f"together                  {whole:8.2f} s   bound {BOUND_SECONDS:.0f}; {whole / reference:.0f} × the formula"
    )
    return 0 if whole <= BOUND_SECONDS and 1000 * screening / chosen.containers <= SCREEN_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
