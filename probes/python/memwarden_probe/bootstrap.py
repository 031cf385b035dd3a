"""Decides whether this process gets the probe's hook, and starts it.

Run by sitecustomize with ``PACKAGE`` (our folder) in its globals; never imported by name. The syntax is
that of 3.6, so that an interpreter without a hook can still say why. Nothing is imported that the
interpreter has not loaded already or built in: gevent and others patch socket, threading and ssl, and
each import is paid at every start.
"""

import os
import sys

PROBE_VERSION = "0.1.0"  # of all distributions: each pyproject.toml reads it here
DEFAULT_AVERAGE_BYTES = 524288
DEFAULT_BUDGET = 20000  # 2 %
SUPPORTED = ((3, 8), (3, 14))  # both included

# Modules that a program finds in sys.modules because of us, and would not find without. The test of a program's
# account of itself holds us to this list; docs/reference/living-with-others.md shows it.
ADDED_MODULES = ()

# Programs that come and go around an application: build and package tools, not the service that leaks.
DENIED_PROGRAMS = frozenset(
    """pip pipx uv uvx poetry pdm conda mamba virtualenv ensurepip venv setuptools wheel build twine
    compileall
    py_compile apt apt-get apt-cache apt-key aptitude dpkg add-apt-repository unattended-upgrade
    unattended-upgrades lsb_release command-not-found py3compile py3clean yum dnf microdnf rpm apk gcc cc
    g++ clang rustc cargo meson ninja scons cython node-gyp bash sh dash zsh fish xonsh git ansible
    ansible-playbook ruff mypy black
    """.split()
)

# Programs that put a sitecustomize of their own before all others, which runs no other, and then replace themselves.
LAUNCHERS = frozenset(("opentelemetry-instrument",))


def load(name):
    """A sibling of this file, as a namespace; nothing enters sys.modules."""
    path = os.path.join(PACKAGE, name + ".py")  # noqa: F821  (given by sitecustomize)
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader("memwarden_probe." + name, path)
    namespace = {"__name__": "memwarden_probe." + name, "__file__": path}
    exec(loader.get_code("memwarden_probe." + name), namespace)
    return namespace


def command_line():
    """The interpreter's own arguments: sys.argv is not settled yet for ``-m``."""
    given = getattr(sys, "orig_argv", None)
    if given and given[0]:
        return given
    with open("/proc/self/cmdline", "rb") as file:
        arguments = [os.fsdecode(part) for part in file.read().split(b"\0")[:-1]]
    return arguments if given is None else arguments[:1]  # embedded: the options are the program's own


def program(arguments):
    """What runs: a script's path, ``-m module``, ``-c``, or the interpreter itself."""
    takes_value = "WXQ"
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "-" or not argument.startswith("-"):
            return argument
        if argument.startswith("--"):
            if argument == "--check-hash-based-pycs":
                next(rest, None)
            continue
        for position, letter in enumerate(argument[1:], 2):
            value = argument[position:]
            if letter == "m":
                return "-m " + (value or next(rest, ""))
            if letter == "c":
                return "-c"
            if letter in takes_value:
                if not value:
                    next(rest, None)
                break
    return arguments[0] if arguments else ""


def is_denied(name):
    if name.startswith("-m "):
        return name[3:].split(".")[0] in DENIED_PROGRAMS
    base = os.path.basename(name)
    if base in ("__main__.py",):  # `python path/to/pip`
        base = os.path.basename(os.path.dirname(name))
    if base.endswith(".py"):
        base = base[:-3]
    return base in DENIED_PROGRAMS or base.rstrip("0123456789.") in DENIED_PROGRAMS


def reason_against_hook():
    """Why this interpreter cannot have the hook, in a sentence for people, or an empty string."""
    if sys.implementation.name != "cpython":
        return "the hook is for CPython only, this is " + sys.implementation.name
    if not sys.platform.startswith("linux"):
        return "the hook is for Linux only"
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        return "Python %d.%d is not supported by this probe (3.8 to 3.14 are)" % sys.version_info[:2]
    if "t" in sys.abiflags:
        return "free-threaded builds are not supported yet"
    if sys.maxsize < 2**32:
        return "32-bit interpreters are not supported"
    tracemalloc = sys.modules.get("_tracemalloc")
    if tracemalloc is not None and tracemalloc.is_tracing():
        # Restoring its allocators later, tracemalloc would silently take the hook away.
        return "tracemalloc is on"
    return ""


def target():
    """Which of the native objects is this interpreter's: musl has no such name for confstr."""
    try:
        glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError):
        glibc = False
    return "%s-%s" % (os.uname().machine, "glibc" if glibc else "musl")


def library_path():
    folder = os.path.join(os.path.dirname(PACKAGE), "lib")  # noqa: F821
    return os.path.join(folder, "memwarden_hook-linux-%s.so" % target())


def load_hook():
    """The native module, loaded without ctypes and without a place in sys.modules."""
    external = sys.modules["_frozen_importlib_external"]
    path = library_path()
    loader = external.ExtensionFileLoader("memwarden_hook", path)
    spec = external.spec_from_file_location("memwarden_hook", path, loader=loader)
    module = loader.create_module(spec)
    loader.exec_module(module)
    return module


def gc_thresholds():
    """Asked without leaving the built-in module where nobody has imported it."""
    was_there = "gc" in sys.modules
    import gc

    if not was_there:
        del sys.modules["gc"]
    return gc.get_threshold()


def quote(text):
    """A JSON string, ASCII only; undecodable parts of a path become question marks."""
    out = []
    for character in text:
        point = ord(character)
        if 32 <= point < 127 and character not in '"\\':
            out.append(character)
        elif point < 0xD800 or 0xE000 <= point < 0x10000:
            out.append("\\u%04x" % point)
        elif point < 0x10000:  # a byte that is no UTF-8
            out.append("?")
        else:  # by hand: encoding to UTF-16 would import its codec
            out.append("\\u%04x\\u%04x" % (0xD7C0 + (point >> 10), 0xDC00 + (point & 0x3FF)))
    return '"' + "".join(out) + '"'


def quote_all(texts):
    return "[" + ",".join(quote(text) for text in texts) + "]"


def identity(name, reason):
    """The constant part of hello's parameters, as JSON members."""
    packages = [p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages")]
    fields = (
        ("runtime", quote(sys.implementation.name)),
        ("version", quote("%d.%d.%d" % sys.version_info[:3])),
        ("argv0", quote(name[:1000])),
        ("executable", quote((sys.executable or "")[:1000])),
        ("container", quote(os.environ.get("MEMWARDEN_CONTAINER", "")[:253])),
        ("probe_version", quote(PROBE_VERSION)),
        ("reason", quote(reason)),
        ("stdlib", quote_all([os.path.dirname(os.__file__)])),
        ("site_packages", quote_all(packages[:8])),
    )
    return ",".join('"%s":%s' % field for field in fields)


def average_bytes():
    text = os.environ.get("MEMWARDEN_SAMPLING_BYTES", "")
    number = int(text) if text.isdigit() else DEFAULT_AVERAGE_BYTES
    return min(max(number, 256), 2**30)


def budget_parts_per_million():
    """Of the process's CPU time, from a number of percent; 0 for "off", the default for what is no number."""
    text = os.environ.get("MEMWARDEN_CPU_BUDGET", "")
    if text == "off":
        return 0
    try:
        return min(max(int(float(text) * 10000), 1), 1000000)
    except (ValueError, OverflowError):
        return DEFAULT_BUDGET


def start_hook(name):
    """Return why there is no hook; an empty string means that it runs, None that nothing is to be said."""
    reason = reason_against_hook()
    if reason:
        return reason
    try:
        hook = load_hook()
    except ImportError as error:
        if not os.path.exists(library_path()):
            return "no hook is built for " + target()
        # An isolated sub-interpreter refuses us; the main one has the hook, and it sees all allocations.
        return None if "subinterpreter" in str(error) else "the hook could not be loaded: %s" % error
    reason = hook.prepare(sys.hexversion)
    if reason == "started before":
        return None
    if reason is not None:
        return reason
    tests = load("self_test")
    wrong = tests["find_mismatch"](hook.walk)
    if wrong:
        hook.refuse()
        return "the self-test failed: " + wrong
    path, budget = os.environ["MEMWARDEN_SOCKET"], budget_parts_per_million()
    knows_attributes = not tests["find_attribute_mismatch"](hook.attributes)
    reason = hook.start(path, identity(name, ""), average_bytes(), budget, gc_thresholds(), knows_attributes)
    if reason is not None:
        return reason
    os.register_at_fork(before=hook.before_fork)
    return ""


def come_first():
    """Put our folder back to the front of PYTHONPATH, from where we run the sitecustomize that comes next.

    OpenTelemetry's puts itself there, in the program as in its launcher, and runs no other: all Pythons below would be
    without the probe.
    """
    ours = os.path.join(os.path.dirname(PACKAGE), "inject")  # noqa: F821
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if ours in entries[1:]:
        entries.remove(ours)
        os.environ["PYTHONPATH"] = os.pathsep.join([ours] + entries)


def come_first_after_exec():
    def before_exec(event, arguments):
        if event == "os.exec":
            come_first()

    sys.addaudithook(before_exec)


def start():
    name = program(command_line())
    if os.path.basename(name) in LAUNCHERS:
        come_first_after_exec()
        return
    come_first()
    if is_denied(name):
        return
    reason = start_hook(name)
    if reason:
        load("refusal")["say"](os.environ["MEMWARDEN_SOCKET"], identity(name, reason))


start()
