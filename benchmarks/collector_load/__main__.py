"""Every row of the collector's target table: prints target, figure, reference and ratio, and keeps the result if told.

The exit code is 1 when a target is missed on a machine whose load average is below its cores; on a busier one a miss
is only told: it may be the machine's.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from collector_load import page
from collector_load.figure import Figure, Scale

ROWS = ("decoding", "doors", "end_to_end", "acknowledgement", "fleet", "bytes", "profiles", "charts")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="collector.py", description=__doc__)
    parser.add_argument("--only", action="append", choices=ROWS, help="a row; may be repeated")
    parser.add_argument("--scale", type=float, default=1.0, help="how much is done (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way (%(default)s)")
    parser.add_argument("--keep", type=Path, help="keep the result in this file, in place of the same rows")
    options = parser.parse_args(arguments)
    figures: list[Figure] = []
    for name in options.only or ROWS:
        began = time.monotonic()
        for figure in import_module(f"collector_load.rows.{name}").measure(
            Scale(options.scale, options.rounds)
        ):
            figures.append(figure)
            print(_line(figure), flush=True)
            if options.keep:
                _keep(options.keep, figures)
        print(f"  ({name}: {time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    quiet = max((figure.load for figure in figures), default=0.0) < (os.cpu_count() or 1)
    return 1 if quiet and any(figure.holds is False for figure in figures) else 0


def _line(figure: Figure) -> str:
    row = asdict(figure)
    text = f"{figure.row}, {figure.what}: {page.amount(figure.value)} {figure.unit}"
    if figure.target is not None:
        text += f" (target {page.target(row)}: {'holds' if figure.holds else 'DOES NOT HOLD'})"
    if figure.ratio is not None and figure.reference_value is not None:
        text += (
            f"; {figure.reference}: {page.amount(figure.reference_value)}, ratio {page.amount(figure.ratio)}"
        )
    return f"{text}; load average {figure.load}" + (f"\n    {figure.note}" if figure.note else "")


def _keep(file: Path, figures: Sequence[Figure]) -> None:
    """New figures take the place of the old ones of the same row; the rows stand in the order of the table."""
    kept = json.loads(file.read_text())["figures"] if file.exists() else []
    measured = {(one.row, one.what) for one in figures}
    rows = [one for one in kept if (one["row"], one["what"]) not in measured] + [
        asdict(one) for one in figures
    ]
    names = [import_module(f"collector_load.rows.{name}").ROW for name in ROWS]
    rows.sort(key=lambda one: names.index(one["row"]))
    result = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}",
        "figures": rows,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
