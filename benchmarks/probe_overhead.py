"""What watching costs the app: see overhead/__init__.py; `python benchmarks/probe_overhead.py --help`."""

import sys

from overhead.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
