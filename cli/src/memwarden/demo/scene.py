"""The demo from the curtain to the last line: two shops, a picture of both while they run, what was found."""

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TextIO

from memwarden.demo.load import REQUESTS_PER_SECOND
from memwarden.demo.shops import LIMIT, Shop
from memwarden.quantities import clock, short_size
from memwarden.terminal.summary import printable

_BAR: Final = 30
_LINE_EVERY_SECONDS: Final = 10.0
_TITLES: Final = ("as it was written", "with the bug fixed")
_SITES: Final = 3
_SERVED: Final = 0.9
"""Of the visitors that come in the demo's time: where fewer were, the machine is too busy to tell a leak by then."""
_PATIENCE: Final = 2.0
"""Times the demo's time: then it ends, whoever was served."""


def play(seconds: float, folder: Path, out: TextIO) -> int:
    """Run both shops for `seconds`, reports into `folder`; 0 if the leak was found and the twin acquitted.

    On a machine so busy that visitors wait it takes longer, twice as long at most.
    """
    out.write(
        "Two web shops, the same but for one bug, each with 20 visitors a second and a limit of "
        f"{LIMIT}.\nBoth run under: memwarden run -- python -m shop.app\n\n"
    )
    with tempfile.TemporaryDirectory(prefix="mw-demo-") as scratch, ExitStack() as stack:
        code = _code(Path(scratch))
        shops = []
        for title, options, name in zip(
            _TITLES, ([], ["--fixed"]), ("demo-report", "demo-report-fixed"), strict=True
        ):
            shop = Shop.open(title, options, code, Path(scratch), folder / name, _PATIENCE * seconds)
            stack.callback(shop.abandon)
            shops.append(shop)
        _watch(shops, seconds, out)
        verdicts = [shop.close() for shop in shops]
    for shop, verdict in zip(shops, verdicts, strict=True):
        _tell(shop, verdict, out)
    found = verdicts[0]["verdict"] == "Leaking" and verdicts[1]["verdict"] == "Healthy"
    if not found:
        out.write(
            "\nThat is not what it should have found. A very busy machine may be why; the reports say more.\n"
        )
    return 0 if found else 1


def _code(scratch: Path) -> Path:
    """The folder that holds the package `shop`. From an installed package it is copied: site-packages is library
    code to the judge, and the shop is the user's.
    """
    here = Path(__file__).parent
    if "site-packages" not in here.parts:
        return here
    shutil.copytree(here / "shop", scratch / "code" / "shop")
    return scratch / "code"


def _watch(shops: list[Shop], seconds: float, out: TextIO) -> None:
    started = time.monotonic()
    redraw = out.isatty()
    next_line = 0.0
    drawn = False
    while all(shop.process.poll() is None for shop in shops):
        elapsed = time.monotonic() - started
        if elapsed >= seconds and (_most_were_served(shops, seconds) or elapsed >= _PATIENCE * seconds):
            return
        for shop in shops:
            shop.ask()
        if redraw or elapsed >= next_line:
            next_line += _LINE_EVERY_SECONDS
            if redraw and drawn:
                out.write(f"\x1b[{len(shops) + 1}A")
            clear = "\x1b[2K" if redraw else ""
            out.write(f"{clear}{_progress(elapsed, seconds)}\n")
            out.writelines(f"{clear}  {_picture(shop)}\n" for shop in shops)
            out.flush()
            drawn = True
        time.sleep(1.0)


def _most_were_served(shops: list[Shop], seconds: float) -> bool:
    return all(shop.visitors.answered >= _SERVED * REQUESTS_PER_SECOND * seconds for shop in shops)


def _progress(elapsed: float, seconds: float) -> str:
    done = min(_BAR, int(_BAR * elapsed / seconds))
    late = "" if elapsed < seconds else ": the machine is busy, it takes longer"
    return f"[{'█' * done}{'·' * (_BAR - done)}] {clock(elapsed)} of {clock(seconds)}{late}"


def _picture(shop: Shop) -> str:
    parts = [f"{shop.title:<20}", f"{shop.visitors.answered:>5} pages"]
    if shop.numbers is None:
        return "  ".join([*parts, "being watched, not judged yet"])
    memory, growth = shop.numbers.anon_bytes, shop.numbers.growth_bytes_per_second
    parts.append(f"{short_size(memory) if memory is not None else '':>8}")
    parts.append(f"{f'{short_size(growth * 60)}/min' if growth else '':>12}")
    return "  ".join([*parts, shop.numbers.verdict])


def _tell(shop: Shop, verdict: dict[str, Any], out: TextIO) -> None:
    out.write(f"\nThe shop {shop.title}:\n  {printable(verdict['headline'])}\n")
    if verdict["verdict"] == "Leaking":
        growing = [site for site in verdict["sites"] if site["growth_bytes_per_second"] > 0]
        for site in growing[:_SITES]:
            growth = short_size(site["growth_bytes_per_second"] * 60)
            where = f"{_short(site['file'])}:{site['line']} {site['function']}"
            out.write(
                printable(f"{where}: {short_size(site['live_bytes'])} live, {growth}/min").join(
                    ["    ", "\n"]
                )
            )
        for advice in verdict["advice"][:_SITES]:
            out.write(f"    → {printable(advice['text'])}\n")
    out.write(f"  Report: {shop.report}.html (open it in a browser), .md and .json beside it\n")


def _short(file: str) -> str:
    return "/".join(Path(file).parts[-2:])
