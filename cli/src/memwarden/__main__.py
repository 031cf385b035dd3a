"""`python -m memwarden`."""

import sys

from memwarden.main import main

if __name__ == "__main__":
    sys.exit(main())
