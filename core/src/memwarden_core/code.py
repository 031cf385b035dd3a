"""Whose code a frame is: the user's own, or a library's. And which frame of a stack stands for the site."""

import re
from collections.abc import Iterable

from memwarden_core.recording import Frame, Stack

_LIBRARY = re.compile(r"/(site-packages|dist-packages|lib/python\d(\.\d+)?|lib64/python\d(\.\d+)?)/")
_TYPED_IN = ("<string>", "<stdin>", "<ipython-input")


def is_library(file: str, prefixes: Iterable[str] = ()) -> bool:
    """Whether a file belongs to the standard library or an installed package."""
    path = file.replace("\\", "/")
    if path.startswith("<"):
        return True
    for prefix in prefixes:
        folder = prefix.replace("\\", "/").rstrip("/")
        if folder and (path == folder or path.startswith(folder + "/")):
            return True
    return _LIBRARY.search(path) is not None


def site_frame(stack: Stack, prefixes: Iterable[str] = ()) -> Frame | None:
    """The innermost frame of the user's own code.

    Where there is none: the innermost line typed in (`python -c`), else the outermost frame that is not
    frozen into the interpreter. `None` for an empty stack.
    """
    known = tuple(prefixes)
    for frame in stack:
        if not is_library(frame.file, known):
            return frame
    for frame in stack:
        if frame.file.startswith(_TYPED_IN):
            return frame
    for frame in reversed(stack):
        if not frame.file.startswith("<"):
            return frame
    return stack[-1] if stack else None


def short_path(file: str) -> str:
    """The last two parts of a path: enough to know a file by, short enough for a headline."""
    parts = [part for part in file.replace("\\", "/").split("/") if part]
    return "/".join(parts[-2:]) if parts else file


def module_of(file: str) -> str:
    """A name for a file that survives another folder and another Python: its last two parts, without .py."""
    return short_path(file).removesuffix(".py")
