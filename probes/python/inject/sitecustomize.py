"""Starts Memwarden's probe in a Python process, then is as if it had never been there.

The folder of this file, and nothing else, stands on PYTHONPATH. What follows must hold on any interpreter,
Python 2.7 and PyPy included: take the folder out of sys.path again, start the probe silently, and let the
sitecustomize that would have run without us run in our place, its result and its errors being those that
the site module sees.
"""

import os
import sys


def _leave_path():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if not entry or os.path.abspath(entry) != here]
    sys.path_importer_cache.pop(here, None)
    return os.path.join(os.path.dirname(here), "memwarden_probe")


def _start_probe(package):
    if not os.environ.get("MEMWARDEN_SOCKET") or os.environ.get("MEMWARDEN_DISABLE") == "1":
        return
    if sys.version_info < (3, 6):
        return
    try:
        name, path = "memwarden_probe.bootstrap", os.path.join(package, "bootstrap.py")
        loader = sys.modules["_frozen_importlib_external"].SourceFileLoader(name, path)
        exec(loader.get_code(name), {"__name__": name, "__file__": path, "PACKAGE": package})
    except Exception:
        pass  # a probe that cannot start must not be noticed


_package = _leave_path()
_self = sys.modules.pop("sitecustomize", None)  # kept: Python 2 empties a module that nobody holds
try:
    import sitecustomize  # noqa: F401  (the one that our folder hid; an error here is for site to judge)
finally:
    _start_probe(_package)
