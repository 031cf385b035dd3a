"""The sidecar's settings and bounds. Loaded once, printed by `--print-config`; the token is never printed."""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from memwarden_api import names
from memwarden_sidecar.errors import CannotStart
from memwarden_sidecar.export.destination import Destination
from memwarden_sidecar.pod import attributes_of, container_names
from memwarden_sidecar.schedule import PROFILE_TICKS

# ── Bounds: each buffer, list, file and retry has its own here ───────────────────────────────────────────
MAX_PROCESSES: Final = 512
"""Watched processes at one moment; those that come later are counted and said, not watched."""
MAX_CONTAINERS: Final = 32
"""Containers of a pod that are watched, each with a socket of its own."""
MAX_CONNECTIONS: Final = 256
"""Connections on a probes' socket; when full, the oldest that has not said hello gives way."""
HELLO_SECONDS: Final = 5.0
"""A connection that has not said hello after this time is closed."""
HELLO_LINE_BYTES: Final = 64 << 10
"""Longest first line of a connection: a hello is about 1 KiB."""
LINE_BYTES: Final = 1 << 20
"""Longest line of a connection that has said hello (design: ≤1 MiB)."""
BUFFERED_BYTES: Final = 4 << 20
"""Unfinished lines of all connections together; who passes it is closed."""
PROFILE_SLICE_SECONDS: Final = 0.1
"""Profiles are made for so long at a time; in between there are ticks, probes and signals."""
PROFILE_CPU_RATIO: Final = 0.05
"""Share of a core that profiles may take: after a dear round the next one waits longer."""
LAST_PROFILES_SECONDS: Final = 1.0
"""Time for the profiles of the end, largest heaps first."""
CENSUS_TYPES: Final = 100
"""Types that are asked for in a census, largest first."""
CENSUS_HOLDINGS: Final = 16
"""Caches of one process that are sent with a census, and as many containers: those that grow first."""
CENSUS_ANSWER_SECONDS: Final = 120.0
"""An answer to a census that comes later is not used; a process that allocates nothing answers never."""
SOURCE_BYTES: Final = 256 << 10
"""Read of a source file, when a container grows and its bound is looked for in the code."""
COMMAND_LINE_BYTES: Final = 1024
"""Kept of a command line (the collector keeps 1 024 bytes of a value). An environment is never read."""
FD_COUNT: Final = 10_000
"""Descriptors counted one by one where the kernel (before 6.2) does not say how many there are."""
PROFILE_ROWS: Final = 30_000
"""(stack, age) rows of one profile; the smallest sites beyond are summed in one. Three types of it are within
the collector's 100 000 samples a request."""
STACK_FRAMES: Final = 512
"""Frames of one stack that are sent, innermost first."""
PROCESSES_A_REQUEST: Final = 256
"""Processes in one metrics request; more go into further requests of the same moment."""
PSS_INTERVAL_SECONDS: Final = 15.0
"""Time between two readings of smaps_rollup."""
PSS_FORKED_SECONDS: Final = 1.0
"""From the first sight of a forked process to the next reading."""
PSS_CPU_RATIO: Final = 0.005
"""Share of a core that reading smaps_rollup may take: a dear reading makes the next one wait longer."""
LIVE_BATCHES: Final = 16
"""Batches that wait in memory while the one before is on its way; more go to the backlog."""
MEMORY_RING_BYTES: Final = 2 << 20
"""Backlog in memory, where there is no spool or it can't be written; oldest first out."""
SPOOL_FILES: Final = 10_000
"""Batches in the spool, beside its limit in bytes; oldest first out."""
SPOOL_LIMIT_BYTES: Final = 64 << 20
"""Default of --spool-limit."""
SPOOL_RETRY_SECONDS: Final = 30.0
"""After a failed write the spool is left alone this long."""
CONNECT_SECONDS: Final = 2.0
"""Time to connect to the collector."""
REQUEST_SECONDS: Final = 10.0
"""Time for each step (write, read) of a request to the collector."""
RESPONSE_BYTES: Final = 64 << 10
"""Read of an answer of the collector."""
BACKOFF_FIRST_SECONDS: Final = 0.5
BACKOFF_LAST_SECONDS: Final = 30.0
"""Waiting after a failure doubles from the first to the last, ×0.5–1 by chance: not all at once."""
RETRY_AFTER_SECONDS: Final = 300.0
"""Longest Retry-After that is honoured."""
TRIES_OF_A_FAULT: Final = 3
"""A batch that is answered with 500 is tried this often, then dropped: it may be the batch's fault."""
FLUSH_SECONDS: Final = 3.5
"""After SIGTERM: what is not sent after this time stays in the spool. The process ends within 5 s."""
COMMAND_POLL_SECONDS: Final = 50.0
"""How long the collector may let a sidecar wait for a command (it allows 60)."""
COMMAND_SECONDS: Final = 30.0
"""Time for a command: a census of a process that allocates nothing has no answer."""
COMMAND_BACKOFF_SECONDS: Final = (1.0, 300.0)
"""First and longest pause after commands could not be fetched; doubling, ×0.5–1 by chance."""
NO_COMMANDS_SECONDS: Final = 3600.0
"""Pause before a collector that knows no commands is asked again."""
CONTROL_LINE_BYTES: Final = 64 << 10
"""Longest line on standard input."""

DEFAULT_INTERVAL_SECONDS: Final = 15.0
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True, slots=True)
class Settings:
    """One sidecar. Sizes in bytes, times in seconds. Either `socket` and `scope_id`, or `listen`."""

    collector: str
    """Base URL; the OTLP paths are appended."""
    scope_id: str = ""
    socket: Path | None = None
    """Unix stream socket that probes dial."""
    listen: Path | None = None
    """In a pod: the folder with a folder and a socket for each of `containers`."""
    containers: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    """Resource attributes: in a pod what pod it is, of a run how it wants to be judged."""
    pid: int | None = None
    """Root of the watched tree; None: it comes on standard input, or probes alone say who is watched."""
    command_line: str = ""
    """What the user started, for people to read."""
    interval: float = DEFAULT_INTERVAL_SECONDS
    profile_interval: float | None = None
    """None: PROFILE_TICKS × interval."""
    sampling_bytes: int | None = None
    """Mean bytes between two samples that probes are told; None: each keeps its own."""
    spool: Path | None = None
    """Folder for batches that could not be sent; None: they wait in memory only."""
    spool_limit: int = SPOOL_LIMIT_BYTES
    memory_limit: int | None = None
    """The scope's limit; None: the cgroup's, else what the machine has left."""
    ready_file: Path | None = None
    commands: bool = True
    """In a pod: whether commands of the collector are fetched and obeyed."""
    log_level: str = "warning"
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    """Read before each use: the kubelet replaces it."""
    ca_file: Path | None = None
    """PEM of the collector's CAs; None: the system's."""

    @property
    def kept_bundle(self) -> Path | None:
        """Where a newer bundle of CAs is kept that the collector hands out."""
        return None if self.spool is None or self.ca_file is None else self.spool / "trust.pem"

    def profile_seconds(self) -> float:
        return self.profile_interval or PROFILE_TICKS * self.interval

    def printable(self) -> str:
        """JSON of all settings but the token, of which only its presence is said."""
        shown = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        shown["attributes"] = dict(self.attributes)
        shown["token"] = "(set)" if self.token else "(not set)"
        shown["profile_interval"] = self.profile_seconds()
        return json.dumps(shown, indent=2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sidecar's options, for its own parser and for `memwarden sidecar`."""
    add = parser.add_argument
    add("--pid", help='root of the process tree to watch; may come later on standard input: {"pid": N}')
    add("--scope-id", help="what gets one verdict: the run's or the container's id")
    add("--command-line", default="", metavar="TEXT", help="what was started, for people to read")
    add("--socket", metavar="PATH", help="Unix socket that probes dial")
    add(
        "--listen",
        metavar="DIR",
        help="in a pod, instead of --socket: folder with DIR/CONTAINER/probe.sock for each container",
    )
    add("--containers", metavar="NAMES", help="those containers: app,worker")
    add("--collector", metavar="URL", help="the collector, for example http://127.0.0.1:4318")
    add("--token-file", metavar="PATH", help="our bearer token, read before each use")
    add("--ca-file", metavar="PATH", help="CAs of the collector, PEM, for https (the system's)")
    add(
        "--interval",
        default=str(DEFAULT_INTERVAL_SECONDS),
        metavar="SECONDS",
        help="between two samples (%(default)s)",
    )
    add("--profile-interval", metavar="SECONDS", help=f"between two profiles ({PROFILE_TICKS} × interval)")
    add(
        "--sampling-bytes",
        metavar="BYTES",
        help="mean bytes between two allocation samples (what each probe has)",
    )
    add(
        "--spool",
        metavar="DIR",
        help="folder for data that can't be sent yet (a little is kept in memory)",
    )
    add("--spool-limit", default="64m", metavar="BYTES", help="size of the spool (%(default)s)")
    add("--memory-limit", metavar="BYTES", help="the limit to judge against (the cgroup's)")
    add(
        "--sensitivity",
        choices=names.SENSITIVITIES,
        help="how soon and how boldly a leak of this scope is called (the collector's)",
    )
    add("--ready-file", metavar="PATH", help="written when probes can connect")
    add("--no-commands", action="store_true", help="in a pod: fetch and obey no commands of the collector")
    add("--log-level", default="warning", help=f"{', '.join(_LOG_LEVELS)} (%(default)s)")
    add("--print-config", action="store_true", help="print the settings and end")


def from_arguments(arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Settings:
    """Checked settings; the token comes from the environment only. Raises CannotStart."""
    sampling = arguments.sampling_bytes
    in_pod = bool(arguments.listen)
    if in_pod and (arguments.socket or arguments.scope_id or arguments.pid or arguments.sensitivity):
        raise CannotStart(
            "--listen watches containers, and takes neither --socket, --scope-id, --pid nor --sensitivity"
        )
    wish = () if arguments.sensitivity is None else ((names.DETECTION_SENSITIVITY, arguments.sensitivity),)
    settings = Settings(
        scope_id="" if in_pod else _needed(arguments.scope_id, "--scope-id"),
        socket=None if in_pod else Path(_needed(arguments.socket, "--socket")),
        listen=Path(arguments.listen) if in_pod else None,
        containers=container_names(_needed(arguments.containers, "--containers")) if in_pod else (),
        attributes=attributes_of(environment) if in_pod else wish,
        collector=_needed(arguments.collector, "--collector"),
        pid=None if arguments.pid is None else _whole(arguments.pid, "--pid"),
        command_line=arguments.command_line,
        interval=_seconds(arguments.interval, "--interval"),
        profile_interval=None
        if arguments.profile_interval is None
        else _seconds(arguments.profile_interval, "--profile-interval"),
        sampling_bytes=_size(sampling, "--sampling-bytes") if sampling else None,
        spool=Path(arguments.spool) if arguments.spool else None,
        spool_limit=_size(arguments.spool_limit, "--spool-limit"),
        memory_limit=None
        if arguments.memory_limit is None
        else _size(arguments.memory_limit, "--memory-limit"),
        ready_file=Path(arguments.ready_file) if arguments.ready_file else None,
        commands=not arguments.no_commands,
        log_level=arguments.log_level,
        token=environment.get(names.ENV_TOKEN, ""),
        token_file=Path(arguments.token_file) if arguments.token_file else None,
        ca_file=Path(arguments.ca_file) if arguments.ca_file else None,
    )
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Raises CannotStart with the setting's name, what is wrong with it, and what to write instead."""
    if settings.socket is not None:
        _check_socket(settings.socket, "--socket", settings.socket.parent)
    if settings.listen is not None:
        if len(settings.containers) > MAX_CONTAINERS:
            raise CannotStart(f"--containers names more than {MAX_CONTAINERS}; a pod is watched up to that")
        for name in settings.containers:
            _check_socket(settings.listen / name / "probe.sock", "--listen", settings.listen)
    if not 0.05 <= settings.interval <= 3600:
        raise CannotStart(f"--interval {settings.interval:g} is not between 0.05 and 3600 seconds")
    if settings.profile_interval is not None and settings.profile_interval < settings.interval:
        raise CannotStart(
            f"--profile-interval {settings.profile_interval:g} is below --interval {settings.interval:g}; "
            "a profile is made at a tick"
        )
    if settings.sampling_bytes is not None and not 256 <= settings.sampling_bytes <= 1 << 30:
        raise CannotStart(f"--sampling-bytes {settings.sampling_bytes} is not between 256 and 1073741824")
    if settings.log_level not in _LOG_LEVELS:
        raise CannotStart(f"--log-level {settings.log_level!r} is none of {', '.join(_LOG_LEVELS)}")
    if len(settings.scope_id.encode()) > 256:
        raise CannotStart("--scope-id has more than 256 bytes; give a shorter one")
    if any(
        character.isspace() or not character.isprintable() or ord(character) > 126
        for character in settings.token
    ):
        raise CannotStart(
            f"${names.ENV_TOKEN} has characters that an HTTP header can't carry; make a new token"
        )
    _check_url(settings.collector)
    if settings.token and settings.token_file is not None:
        raise CannotStart(f"${names.ENV_TOKEN} and --token-file are both given; leave one out")
    if settings.ca_file is not None and not settings.collector.startswith("https:"):
        raise CannotStart(f"--ca-file is for https; write --collector https://…, not {settings.collector}")


def destination_of(settings: Settings) -> Destination:
    """Where to send, and how to get in. Whether the files are there is seen when they are used: they may come later."""
    files = (settings.token_file, settings.ca_file, settings.kept_bundle)
    return Destination(settings.collector, settings.token, *files)


def _check_socket(path: Path, option: str, folder: Path) -> None:
    length = len(os.fsencode(path))
    if length > 107:
        raise CannotStart(
            f"the socket's path has {length} bytes and Unix allows 107; give a shorter {option}, "
            f"for example below /tmp: {path}"
        )
    if not folder.is_dir():
        raise CannotStart(f"the socket's folder does not exist; create it or give another {option}: {path}")


def _check_url(url: str) -> None:
    if "@" in url:
        raise CannotStart(f"--collector must not hold a password; put the token into ${names.ENV_TOKEN}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CannotStart(f"--collector {url!r} is not a URL ({error}); write http://HOST:PORT") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise CannotStart(f"--collector {url!r} is not the base of an HTTP service; write http://HOST:PORT")
    if port == 0:
        raise CannotStart(f"--collector {url!r} has port 0; write the port that the collector listens on")


def _needed(value: str | None, option: str) -> str:
    if not value:
        raise CannotStart(f"{option} is missing; see --help")
    return value


def _whole(text: str, option: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise CannotStart(f"{option} {text!r} is not a whole number above 0")
    return int(text)


def _seconds(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CannotStart(f"{option} {text!r} is not a number of seconds") from None


def _size(text: str, option: str) -> int:
    """Bytes, with an optional unit of 1024: 512k, 64m, 2g, also KiB, MiB, GB written out."""
    number = text.strip().lower().removesuffix("b").removesuffix("i")
    unit = number[-1:] if number[-1:] in _UNITS else ""
    digits = number.removesuffix(unit).strip()
    try:
        value = int(float(digits) * _UNITS[unit])
    except (ValueError, OverflowError):
        raise CannotStart(
            f"{option} {text!r} is not a size; write bytes, or a number with k, m or g"
        ) from None
    if value < 1:
        raise CannotStart(f"{option} {text!r} must be above 0")
    return value
