"""Which language runtime a process is, where no probe says so: a guess from the program's name."""

import re
from pathlib import PurePosixPath
from typing import Final, NamedTuple


class Runtime(NamedTuple):
    """Names as in OpenTelemetry's `process.runtime.name`; version "" when the name does not tell."""

    name: str
    version: str


UNKNOWN: Final = Runtime("", "")
_PROGRAMS: Final = (
    (re.compile(r"python(\d(?:\.\d+)?)?(?:d|t|w)?$"), "cpython"),
    (re.compile(r"pypy(\d(?:\.\d+)?)?$"), "pypy"),
    (re.compile(r"(?:node|nodejs)(\d+)?$"), "nodejs"),
    (re.compile(r"java$"), "java"),
    (re.compile(r"(?:uwsgi|mod_wsgi-express)$"), "cpython"),
    (re.compile(r"ruby(\d\.\d+)?$"), "ruby"),
    (re.compile(r"php(?:-fpm)?(\d\.\d+)?$"), "php"),
    (re.compile(r"dotnet$"), "dotnet"),
)


def guess(executable: str) -> Runtime:
    """From the path of the program that runs."""
    name = PurePosixPath(executable).name
    for pattern, runtime in _PROGRAMS:
        if match := pattern.match(name):
            return Runtime(runtime, next((group for group in match.groups() if group), ""))
    return UNKNOWN


def outside_reason(runtime: Runtime) -> str:
    """Why a process that has not said hello is watched from outside only."""
    if runtime.name == "cpython":
        return (
            "its probe has not reported: the process was started before, or with -I, -E or -S, "
            "or without the environment of `memwarden run`, or has allocated nothing yet"
        )
    if runtime.name:
        return f"there is no probe for {runtime.name} yet"
    return "not a Python process"
