"""The injector's settings. Loaded once, printed by --print-config."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from memwarden_api.quantities import duration_seconds
from memwarden_operator.errors import CannotStart
from memwarden_operator.injector.installation import DEFAULT_ENVIRONMENT, PRELOAD, VARIABLES

BODY_BYTES: Final = 8 << 20
"""Largest review: an object of etcd has 1.5 MiB, and JSON may be larger."""
CERTIFICATE_SECONDS: Final = 5.0
"""Between two looks at the certificate's files."""
_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Settings:
    """One replica."""

    listen: str
    """HOST:PORT of the webhook, TLS."""
    health_listen: str
    """HOST:PORT of /healthz, /readyz and /metrics, without TLS."""
    tls_cert: Path
    tls_key: Path
    sidecar_image: str
    image_pull_policy: str
    collector: str
    collector_ca_file: Path | None
    environment: str
    token: bool
    excluded_namespaces: tuple[str, ...]
    drain_seconds: float
    """After SIGTERM requests are still answered for so long: Services need a moment to notice."""
    api_server: str
    """"": as a pod is told."""
    api_token_file: Path | None
    api_ca_file: Path | None
    log_level: str

    def printable(self) -> str:
        shown = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        return json.dumps(shown, indent=2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--listen", default="0.0.0.0:8443", metavar="HOST:PORT", help="of the webhook, TLS (%(default)s)")
    add(
        "--health-listen",
        default="0.0.0.0:8080",
        metavar="HOST:PORT",
        help="of /healthz, /readyz and /metrics (%(default)s)",
    )
    add("--tls-cert", required=True, type=Path, metavar="FILE", help="the webhook's certificate, PEM")
    add("--tls-key", required=True, type=Path, metavar="FILE", help="its key")
    add(
        "--sidecar-image",
        required=True,
        metavar="IMAGE",
        help="image of the sidecar, which has the probes too",
    )
    add(
        "--image-pull-policy",
        default="IfNotPresent",
        choices=("IfNotPresent", "Always", "Never"),
        help="of it (%(default)s)",
    )
    add("--collector", required=True, metavar="URL", help="the collector, as pods reach it")
    add(
        "--collector-ca-file",
        type=Path,
        metavar="FILE",
        help="PEM of who may sign the collector's certificate; written into pods, read anew when it changes",
    )
    add(
        "--environment",
        default=DEFAULT_ENVIRONMENT,
        choices=(PRELOAD, VARIABLES),
        help="how probes get into programs where the profile says Auto (%(default)s)",
    )
    add("--no-token", action="store_true", help="give sidecars no token for the collector")
    add(
        "--excluded-namespaces",
        default="kube-system,kube-node-lease",
        metavar="NAMES",
        help="namespaces that are left alone (%(default)s)",
    )
    add(
        "--drain",
        default="5s",
        metavar="DURATION",
        help="after SIGTERM requests are still answered for so long (%(default)s)",
    )
    add("--api-server", default="", metavar="URL", help="of the API server (as a pod is told)")
    add("--api-token-file", type=Path, metavar="FILE", help="with --api-server: the bearer token")
    add("--api-ca-file", type=Path, metavar="FILE", help="with --api-server: who may sign its certificate")
    add("--log-level", default="info", choices=_LEVELS, help="(%(default)s)")


def from_arguments(arguments: argparse.Namespace) -> Settings:
    """Raises CannotStart with the option's name."""
    _check_url(arguments.collector, "--collector")
    if arguments.api_server:
        _check_url(arguments.api_server, "--api-server")
    for option in ("listen", "health_listen"):
        address_of(getattr(arguments, option), f"--{option.replace('_', '-')}")
    try:
        drain_seconds = duration_seconds(arguments.drain)
    except ValueError as error:
        raise CannotStart(f"--drain: {error}") from None
    return Settings(
        drain_seconds=drain_seconds,
        listen=arguments.listen,
        health_listen=arguments.health_listen,
        tls_cert=arguments.tls_cert,
        tls_key=arguments.tls_key,
        sidecar_image=arguments.sidecar_image,
        image_pull_policy=arguments.image_pull_policy,
        collector=arguments.collector,
        collector_ca_file=arguments.collector_ca_file,
        environment=arguments.environment,
        token=not arguments.no_token,
        excluded_namespaces=tuple(part for part in arguments.excluded_namespaces.split(",") if part),
        api_server=arguments.api_server,
        api_token_file=arguments.api_token_file,
        api_ca_file=arguments.api_ca_file,
        log_level=arguments.log_level,
    )


def address_of(text: str, option: str) -> tuple[str, int]:
    """HOST and PORT; port 0 takes any that is free."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise CannotStart(f"{option} {text!r} is not HOST:PORT; write for example 0.0.0.0:8443")
    return host.strip("[]"), int(port)


def _check_url(url: str, option: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise CannotStart(f"{option} {url!r} is not the base of an HTTP service; write https://HOST:PORT")
