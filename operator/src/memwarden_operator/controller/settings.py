"""The controller's settings: one frozen model, loaded once, printed by `--print-config`.

Each field is an option and an environment variable: `collector_url` is `--collector-url` and
`MEMWARDEN_COLLECTOR_URL`; the option wins.
"""

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

ENV_PREFIX: Final = "MEMWARDEN_"
_LISTS: Final = ("namespaces", "alert_labels")
_LABEL: Final = re.compile(
    r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?=([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?",
    re.ASCII,
)
DEFAULT_COLLECTOR: Final = "https://memwarden-collector.memwarden-system.svc:4318"


class Settings(BaseModel):
    """All of the controller's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    collector_url: str = Field(default=DEFAULT_COLLECTOR, description="Where the collector listens")
    collector_token_file: Path | None = Field(
        default=None, description="File with the token that the collector takes; read before each request"
    )
    collector_ca_file: Path | None = Field(
        default=None, description="PEM file with the certificates that the collector's is checked against"
    )
    kubeconfig: Path | None = Field(
        default=None, description="A kubeconfig; else the pod's service account, else $KUBECONFIG"
    )
    namespaces: tuple[str, ...] = Field(
        default=(), max_length=200, description="Namespaces to look at, by comma; none given: all of them"
    )
    listen: str = Field(default="0.0.0.0:8080", description="HOST:PORT of /healthz, /readyz and /metrics")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged to standard error"
    )
    scan_seconds: float = Field(
        default=60,
        ge=1,
        le=3600,
        description="Between two looks over the pods of namespaces with a MemoryProfile",
    )
    elsewhere_seconds: float = Field(
        default=600, ge=1, le=86_400, description="Between two looks over the pods of all other namespaces"
    )
    status_seconds: float = Field(
        default=30,
        ge=1,
        le=3600,
        description="A profile's status is not written more often than this on average; numbers alone wait for so long",
    )
    prometheus_url: str | None = Field(
        default=None, description="Prometheus, which is asked whether it has the rules of MemoryAlertPolicies"
    )
    alertmanager_url: str | None = Field(
        default=None, description="Alertmanager, which is asked whether it has their routes"
    )
    prometheus_credentials: Path | None = Field(
        default=None,
        description="Folder with token, or username and password, and ca.crt, for Prometheus; read before each request",
    )
    alertmanager_credentials: Path | None = Field(default=None, description="The same for Alertmanager")
    alert_labels: tuple[str, ...] = Field(
        default=(),
        max_length=32,
        description="Labels of what is made of MemoryAlertPolicies, by comma: release=monitoring,team=shop",
    )
    alert_patience_seconds: float = Field(
        default=300,
        ge=1,
        le=86_400,
        description="What Prometheus or Alertmanager has not loaded after this time counts as refused",
    )
    max_pods: int = Field(
        default=20_000,
        ge=1,
        le=1_000_000,
        description="Injected pods that are kept in memory; metrics say of more",
    )

    remediation: bool = Field(
        default=False,
        description="Obey remediation.mode Act and missedPods Rollout of profiles; needs the rights (true, false)",
    )
    remediations_per_hour: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="Pods and workloads that are restarted in an hour, in the whole cluster",
    )
    injector_url: str = Field(
        default="http://memwarden-injector.memwarden-system.svc:8080/readyz",
        description="Where the injector says whether it is ready: without it nothing is restarted",
    )

    @field_validator("collector_url", "prometheus_url", "alertmanager_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not a URL such as {DEFAULT_COLLECTOR}")
        return url.rstrip("/")

    @field_validator("alert_labels")
    @classmethod
    def _are_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        for label in labels:
            if not _LABEL.fullmatch(label):
                raise ValueError(f"{label!r} is not NAME=VALUE of a Kubernetes label")
        return labels

    @field_validator("listen")
    @classmethod
    def _is_address(cls, listen: str) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
            raise ValueError(f"{listen!r} is not HOST:PORT with a port from 0 to 65535")
        return listen

    @property
    def labels_of_alerts(self) -> dict[str, str]:
        """Of `alert_labels`."""
        return dict(label.split("=", 1) for label in self.alert_labels)

    @property
    def address(self) -> tuple[str, int]:
        """Of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)

    @property
    def collector_address(self) -> tuple[str, int]:
        """The collector's namespace, as its service's name has it, and its port."""
        parts = urlsplit(self.collector_url)
        labels = (parts.hostname or "").split(".")
        namespace = labels[1] if len(labels) > 2 and labels[2] == "svc" else "memwarden-system"
        return namespace, parts.port or (443 if parts.scheme == "https" else 80)

    def printable(self) -> str:
        """As JSON; none of it is secret."""
        return json.dumps(self.model_dump(mode="json"), indent=2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option a field; `from_arguments` reads them back."""
    for name, field in Settings.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = "" if default in (None, "") else f"; default: {default}"
        parser.add_argument(
            "--" + name.replace("_", "-"),
            metavar="VALUE",
            help=f"{field.description} (else ${variable(name)}{shown})".replace("%", "%%"),
        )


def variable(name: str) -> str:
    """The environment variable of a field."""
    return ENV_PREFIX + name.upper()


def from_arguments(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Raises ValueError whose one line names the option and what is wrong."""
    given: dict[str, Any] = {}
    for name in Settings.model_fields:
        value = getattr(arguments, name)
        if value is None:
            value = environ.get(variable(name)) or None
        if value is not None:
            given[name] = _names(value) if name in _LISTS else value
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise ValueError(f"{option}: {first['msg'].removeprefix('Value error, ')}") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
