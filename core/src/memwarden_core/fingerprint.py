"""One name for one leak, the same after a restart and a deploy."""

import hashlib

from memwarden_core.code import is_library, module_of
from memwarden_core.verdict import Site

VERSION = 1
SUFFIX_FRAMES = 5


def site_fingerprint(site: Site, runtime: str, prefixes: tuple[str, ...] = ()) -> str:
    """Hash of version, runtime without its version, and up to five of the user's frames, innermost first.

    Module and function only: a line moves with every edit above it.
    """
    own = [frame for frame in site.stack if not is_library(frame.file, prefixes)][:SUFFIX_FRAMES]
    parts = [f"{module_of(frame.file)}:{frame.function}" for frame in own]
    return _hash("site", runtime.split(" ")[0], *(parts or [f"{module_of(site.file)}:{site.function}"]))


def unattributed_fingerprint(workload: str, signal: str) -> str:
    """Hash for growth that no site explains: the workload and the signal that grows."""
    return _hash("signal", workload, signal)


def _hash(*parts: str) -> str:
    text = "\n".join((str(VERSION), *parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
