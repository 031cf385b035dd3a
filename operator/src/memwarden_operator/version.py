"""Which version this is: that of the distribution."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _found() -> str:
    try:
        return version("memwarden-operator")
    except PackageNotFoundError:
        return "0"


VERSION: Final = _found()
