"""What to do about a finding. Raising a limit is never the answer to a leak."""

from memwarden_core.code import short_path
from memwarden_core.examination import Findings
from memwarden_core.verdict import Advice, Kind, Site
from memwarden_core.wording import amount


def advice(kind: Kind, findings: Findings, site: Site | None, at_risk: bool) -> tuple[Advice, ...]:
    """Advice in the order in which to try it."""
    growth = findings.growth
    grown = max(0.0, growth.trend.rise) if growth is not None else None
    found: list[Advice] = []
    if kind in (Kind.LEAKING, Kind.GROWING) and site is not None:
        place = f"{short_path(site.file)}:{site.line} {site.function}()"
        verb = "Look at" if kind is Kind.GROWING else "Find"
        holder = findings.beside.container
        keeps = f"whether {holder.name} keeps" if holder is not None else "what keeps"
        found.append(
            Advice(
                f"{verb} {keeps} the objects made at {place}: give that container a bound, "
                "remove entries when they are done with, or hold them weakly.",
                site.live_bytes,
            )
        )
    elif kind is Kind.LEAKING:
        found.append(
            Advice(
                "No site of Python explains the growth: look at arrays and buffers that C extensions hold "
                "(NumPy, image and database libraries), and at processes without a hook.",
                grown,
            )
        )
        found.append(
            Advice("Try MALLOC_ARENA_MAX=2 once: if growth stops, it was the allocator's arenas.", grown)
        )
    opened = findings.beside.descriptors
    if kind in (Kind.LEAKING, Kind.GROWING) and opened:
        found.append(
            Advice(
                f"Close what is opened: {opened} more file descriptors are open than when the growth began, one by one "
                "with it (files, sockets, connections).",
                grown,
            )
        )
    if kind is Kind.FRAGMENTED:
        held = findings.held_bytes or grown
        found.append(
            Advice(
                "Have the allocator give memory back: MALLOC_ARENA_MAX=2, malloc_trim after a large job, "
                "or jemalloc; or do the large job in a process of its own.",
                held,
            )
        )
        found.append(Advice("Read large inputs in pieces instead of at once: the peak is what stays.", held))
    if kind is Kind.CACHE_FILLING:
        found.append(Advice("If this is a cache, check that its bound fits the limit.", grown))
    if at_risk and kind is not Kind.LEAKING and findings.limit is not None and growth is not None:
        bound = growth.shape.bound
        fits = kind is Kind.CACHE_FILLING and bound < findings.limit.bytes
        if kind in (Kind.CACHE_FILLING, Kind.HEALTHY, Kind.FRAGMENTED) and not fits:
            found.append(
                Advice(f"Raise the limit above {amount(max(bound, findings.anon or 0.0) * 1.25)}.", None)
            )
    if at_risk and kind is Kind.LEAKING:
        found.append(Advice("Plan a restart before the limit is met; a higher limit only delays it.", None))
    return tuple(found)
