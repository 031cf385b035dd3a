"""`memwarden cache`: the one folder that outlives a run."""

import argparse


class Cache:
    name = "cache"
    summary = "show or delete the folder that makes starts quick"
    examples = """\
examples:
  memwarden cache path
  memwarden cache clear
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=("path", "clear"), help="print where it is, or delete it")

    def run(self, arguments: argparse.Namespace) -> int:
        from memwarden import cache
        from memwarden.quantities import short_size

        if arguments.action == "path":
            print(cache.folder())
        else:
            print(f"{cache.folder()}: {short_size(cache.clear())} freed")
        return 0
