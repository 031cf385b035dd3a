"""A program's own account of itself, as JSON on standard output: all that a probe could have changed.

``python account.py [ROLE]``. The app says it for itself, and starts an exec'd, a forked and a spawned child which say
it for themselves. Nothing in it may differ from run to run: no ids, no times, no addresses.
"""

# ruff: noqa: E402  (what is loaded at the start is looked at before anything else is imported)
import sys

MODULES_AT_START = sorted(sys.modules)
WARNINGS_AT_START = repr(sys.modules["warnings"].filters) if "warnings" in sys.modules else ""

import atexit
import faulthandler
import gc
import json
import locale
import multiprocessing
import os
import re
import resource
import signal
import site
import subprocess
import threading
import tracemalloc
import warnings

if __name__ == "__mp_main__":
    MODULES_AT_START = [name for name in MODULES_AT_START if not name.startswith("multiprocessing")]


def descriptors():
    found = {}
    for number in os.listdir("/proc/self/fd"):
        if int(number) < 100:
            try:
                found[number] = os.readlink("/proc/self/fd/" + number).split(":")[0]
            except OSError:
                pass  # the one with which the folder was listed
    return found


def lines_of_status(*names):
    with open("/proc/self/status") as file:
        return [line.split() for line in file if line.split(":")[0] in names]


def describe(handler):
    """A name without the address that a default repr has."""
    if hasattr(handler, "__qualname__"):
        return handler.__qualname__
    return type(handler).__qualname__ if " at 0x" in repr(handler) else str(handler)


def names_of_limits():
    return sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))


def classes():
    """All that derive from object, less those of ast: CPython makes them when it finds a module without byte code."""
    gc.collect()
    names = {"%s.%s" % (kind.__module__, kind.__qualname__) for kind in object.__subclasses__()}
    names = {re.sub(" at 0x[0-9a-f]+", "", name) for name in names}
    return sorted(names - {"ast.AST", "_ast.AST"})


def interpreter():
    return {
        "argv": sys.argv,
        "orig_argv": getattr(sys, "orig_argv", None),
        "executable": [sys.executable, sys.prefix, sys.base_prefix, sys.exec_prefix],
        "flags": repr(sys.flags),
        "options": [sys.warnoptions, repr(sys._xoptions), sys.dont_write_bytecode],
        "path": sys.path,
        "path_hooks": [describe(hook) for hook in sys.path_hooks],
        "meta_path": [describe(finder) for finder in sys.meta_path],
        "importers": sorted(sys.path_importer_cache),
        "modules": MODULES_AT_START,
        "site": [site.ENABLE_USER_SITE, site.PREFIXES, sorted(name for name in vars(site) if name[0] != "_")],
        "customized": [
            sorted(name for name in vars(sys.modules[module]) if name[:2] != "__")
            if module in sys.modules
            else None
            for module in ("sitecustomize", "usercustomize")
        ],
        "main": sorted(vars(sys.modules["__main__"])),
        "builtins": sorted(vars(sys.modules["builtins"])),
        "sys": sorted(vars(sys)),
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), sys.getdlopenflags()],
        "classes": classes(),
    }


def hooks():
    return {
        "trace": [describe(sys.gettrace()), describe(sys.getprofile()), describe(threading._trace_hook)],
        "monitoring": [sys.monitoring.get_tool(number) for number in range(6)]
        if hasattr(sys, "monitoring")
        else [],
        "excepthook": [describe(sys.excepthook), describe(sys.displayhook), describe(sys.unraisablehook)],
        "warnings": [WARNINGS_AT_START, repr(warnings.filters), describe(warnings.showwarning)],
        "faulthandler": faulthandler.is_enabled(),
        "tracemalloc": [tracemalloc.is_tracing(), tracemalloc.get_traceback_limit()],
        "atexit": atexit._ncallbacks(),
        "gc": [gc.get_threshold(), gc.isenabled(), gc.get_debug(), gc.get_freeze_count(), len(gc.garbage)],
        "gc callbacks": [describe(callback) for callback in gc.callbacks],
        "generators": [describe(hook) for hook in sys.get_asyncgen_hooks()],
    }


def process():
    mask = os.umask(0)
    os.umask(mask)
    return {
        "environment": dict(os.environ),
        "descriptors": descriptors(),
        "signals": {
            str(number): describe(signal.getsignal(number)) for number in sorted(signal.valid_signals())
        },
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "status": lines_of_status(
            "SigBlk", "SigIgn", "SigCgt", "SigPnd", "Threads", "Seccomp", "CoreDumping", "NoNewPrivs"
        ),
        "threads": [thread.name for thread in threading.enumerate()],
        "tasks": len(os.listdir("/proc/self/task")),
        "locale": [
            locale.setlocale(locale.LC_ALL),
            sys.getfilesystemencoding(),
            sys.stdout.encoding,
            sys.stdout.errors,
        ],
        "folder": os.getcwd(),
        "umask": mask,
        "priority": [os.nice(0), sorted(os.sched_getaffinity(0))],
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in names_of_limits()},
        "name": open("/proc/self/comm").read(),
        "session": [os.getpid() == os.getsid(0), os.getpgid(0) == os.getsid(0)],
    }


def say(role):
    account = {"role": role, "interpreter": interpreter(), "hooks": hooks(), "process": process()}
    print(json.dumps(account, sort_keys=True), flush=True)


def worker():
    say("spawned")


def main():
    role = sys.argv[1] if len(sys.argv) > 1 else "app"
    kept = [{"number": number} for number in range(20000)]
    say(role)
    warnings.warn("seen by the user")
    if role == "app":
        file = sys.modules["__main__"].__dict__.get("__file__")
        if file and os.path.isfile(file):
            subprocess.run([sys.executable, file, "executed"], check=False)
            child = multiprocessing.get_context("spawn").Process(target=worker)
            child.start()
            child.join()
        child = os.fork()
        if not child:
            say("forked")
            sys.stderr.flush()
            os._exit(3)
        print(os.waitpid(child, 0)[1], len(kept), flush=True)
        atexit.register(print, "the last word")
        forgotten = open(os.devnull)  # a ResourceWarning in development mode
        del forgotten
        sys.exit(7)


if __name__ == "__main__":
    main()
