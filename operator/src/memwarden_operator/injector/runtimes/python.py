"""CPython: our folder in front of PYTHONPATH, where `sitecustomize` is found (and hands on to the user's own)."""

from typing import Final

from memwarden_api import names
from memwarden_operator.injector.runtimes.runtime import Join, Runtime

FOLDER: Final = f"{names.PROBES_FOLDER}/python/inject"

PYTHON: Final = Runtime(
    name="Python",
    by_variables=(Join("PYTHONPATH", FOLDER),),
    by_loader=((names.ENV_PRELOAD_PYTHONPATH, FOLDER),),
    other_profilers=frozenset({"scalene", "fil-profile"}),
)
