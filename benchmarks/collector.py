"""What the collector manages under load, row by row of its target table: see `collector_load`."""

import sys

from collector_load.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
