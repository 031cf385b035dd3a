"""For all tests: the folder `operator/` must not take the place of the standard library's module.

pytest's import mode `importlib` makes a module of each folder above a test file, and puts it into sys.modules unless
the one that is there looks like a package. https://docs.pytest.org/en/stable/explanation/pythonpath.html#import-modes
"""

import operator
from pathlib import Path

operator.__path__ = [str(Path(__file__).parent / "operator")]
