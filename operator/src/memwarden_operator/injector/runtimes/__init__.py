"""The runtimes that there is a probe for: one file and one line here for each."""

from typing import Final

from memwarden_operator.injector.runtimes.python import PYTHON
from memwarden_operator.injector.runtimes.runtime import Join, Runtime

__all__ = ["RUNTIMES", "Join", "Runtime"]

RUNTIMES: Final[tuple[Runtime, ...]] = (PYTHON,)
