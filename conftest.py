"""For all tests.

The folder `operator/` must not take the place of the standard library's module: pytest's import mode `importlib` makes
a module of each folder above a test file, and puts it into sys.modules unless the one that is there looks like a
package. https://docs.pytest.org/en/stable/explanation/pythonpath.html#import-modes

What was covered is saved with the last test: pytest-xdist kills a worker that has not ended ten seconds later, and some
clients' libraries take longer to give up sending.
"""

import operator
import warnings
from pathlib import Path

import pytest
from coverage import Coverage
from coverage.exceptions import CoverageWarning

operator.__path__ = [str(Path(__file__).parent / "operator")]


def pytest_sessionfinish(session: pytest.Session) -> None:
    covering = Coverage.current()
    if covering is not None and hasattr(session.config, "workerinput"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoverageWarning)  # not every worker has imported everything
            covering.save()
