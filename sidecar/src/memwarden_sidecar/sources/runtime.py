"""Which language runtime a process is, where no probe says so: a guess from the program's name."""

import re
import time
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
_LIBRARY: Final = re.compile(r"/libpython(\d\.\d+)[^/\n]*\.so")
_KEEPS_OUT: Final = "keeps PYTHONPATH and with it the probe out"
_CLOSING: Final = {"I": _KEEPS_OUT, "E": _KEEPS_OUT, "S": "leaves out the module that loads the probe"}
_TAKES_THE_REST: Final = "cm"
_TAKES_A_VALUE: Final = "WXQ"


def guess(executable: str) -> Runtime:
    """From the path of the program that runs."""
    name = PurePosixPath(executable).name
    for pattern, runtime in _PROGRAMS:
        if match := pattern.match(name):
            return Runtime(runtime, next((group for group in match.groups() if group), ""))
    return UNKNOWN


def embedded(maps: str) -> Runtime:
    """From a process's memory map: a program that is no `python` and has an interpreter in a library."""
    match = _LIBRARY.search(maps)
    return Runtime("cpython", match.group(1)) if match else UNKNOWN


def outside_reason(runtime: Runtime, executable: str, command_line: str) -> str:
    """Why a process that has not said hello is watched from outside only."""
    if runtime.name == "cpython":
        if guess(executable) == UNKNOWN:
            return "a program with a Python of its own inside (a frozen one, or embedded), which did not load the probe"
        if option := _closing_option(command_line):
            return f"Python was started with {option}, which {_CLOSING[option[1]]}"
        return (
            "its probe has not reported: the process was started before, "
            "or without the environment of `memwarden run`, or has allocated nothing yet"
        )
    if runtime.name:
        return f"there is no probe for {runtime.name} yet"
    return "not a Python process"


def silent_reason(since: float) -> str:
    """Why what its probe says may be old; `since` in Unix seconds."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(since))
    return f"no allocations since {moment} UTC: its sites are as of then"


def _closing_option(command_line: str) -> str:
    """The interpreter's option that keeps the probe out, such as "-I"; "" where there is none."""
    words = iter(command_line.split(" ")[1:])
    for word in words:
        if word.startswith("--"):
            continue
        if not word.startswith("-") or word == "-":
            break
        for position, letter in enumerate(word[1:], start=2):
            if letter in _CLOSING:
                return f"-{letter}"
            if letter in _TAKES_THE_REST:
                return ""
            if letter in _TAKES_A_VALUE:
                if position == len(word):
                    next(words, "")
                break
    return ""
