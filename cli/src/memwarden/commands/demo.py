"""`memwarden demo`: see it work, without a program of one's own."""

import argparse
import sys
from pathlib import Path


class Demo:
    name = "demo"
    summary = "watch a web shop that leaks, and its fixed twin, for 100 s"
    examples = """\
examples:
  memwarden demo
  memwarden demo --folder /tmp

needs Flask: pip install 'memwarden[demo]'
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--folder", type=Path, default=Path(), help="where the reports go (default: here)"
        )
        parser.add_argument("--duration", default="100s", metavar="TIME", help="default: %(default)s")

    def run(self, arguments: argparse.Namespace) -> int:
        from importlib.util import find_spec

        from memwarden.demo.scene import play
        from memwarden.errors import Failed
        from memwarden.quantities import duration
        from memwarden.run.plan import writable

        if find_spec("flask") is None:
            raise Failed("the demo's shop needs Flask: pip install 'memwarden[demo]'")
        folder = writable("--folder", arguments.folder / "demo-report.json").parent
        return play(duration(arguments.duration, "--duration"), folder, sys.stdout)
