"""Hold the import contracts of pyproject.toml; print only what breaks them."""

import contextlib
import io
import sys

from importlinter.cli import lint_imports


def main() -> int:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = lint_imports(no_cache=True)
    if status:
        sys.stderr.write(output.getvalue())
    return status


if __name__ == "__main__":
    sys.exit(main())
