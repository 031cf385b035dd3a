"""The collector's settings as options of a command line.

The token comes from the environment alone: an argument list can be read by anyone on the machine.
"""

import argparse
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from memwarden_api.names import ENV_TOKEN
from memwarden_collector.settings import (
    DEFAULT_GRPC_PORT,
    DEFAULT_PORT,
    ENV_DATABASE_URL,
    Analysis,
    Kubelets,
    Limits,
    Own,
    Retention,
    Reviews,
    Settings,
    Tls,
)

_GROUPS: Final[tuple[tuple[str, type[BaseModel]], ...]] = (
    ("access", Reviews),
    ("tls", Tls),
    ("kubelets", Kubelets),
    ("limits", Limits),
    ("analysis", Analysis),
    ("retention", Retention),
    ("own", Own),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the collector's options; `from_arguments` reads them back."""
    parser.add_argument(
        "--database-url", metavar="URL", help=f"PostgreSQL 15 or newer (else ${ENV_DATABASE_URL})"
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=f"127.0.0.1:{DEFAULT_PORT}",
        help="where to listen; port 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--grpc-listen",
        metavar="HOST:PORT",
        default=f"127.0.0.1:{DEFAULT_GRPC_PORT}",
        help=f"{_help(Settings, 'grpc_listen')} (default: %(default)s)",
    )
    parser.add_argument("--snapshot-folder", metavar="PATH", help=_help(Settings, "snapshot_folder"))
    parser.add_argument("--port-file", metavar="PATH", help=_help(Settings, "port_file"))
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    for title, model in _GROUPS:
        group = parser.add_argument_group(title)
        for name, field in model.model_fields.items():
            group.add_argument(
                "--" + name.replace("_", "-"),
                dest=f"{title}_{name}",
                **_value_of(field.annotation),
                help=_described(field),
            )


def _value_of(annotation: object) -> dict[str, Any]:
    """How argparse reads it."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return {"choices": tuple(str(item) for item in annotation)}
    if annotation is bool:
        return {"action": "store_true"}
    if annotation is str:
        return {"metavar": "TEXT"}
    if annotation == Path | None:
        return {"metavar": "PATH"}
    return {"metavar": "N", "type": int if annotation is int else float}


def _described(field: FieldInfo) -> str:
    has_value = field.default not in (None, "", False)
    return f"{field.description} (default: {field.default})" if has_value else str(field.description)


def from_arguments(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Settings from parsed options and the environment.

    Raises ValueError (pydantic's ValidationError is one) whose text names the option.
    """
    url = arguments.database_url or environ.get(ENV_DATABASE_URL)
    if not url:
        raise ValueError(f"no database: give --database-url or set {ENV_DATABASE_URL}")
    host, port = parse_listen(arguments.listen, "--listen")
    grpc = arguments.grpc_listen
    return Settings(
        database_url=SecretStr(url),
        host=host,
        port=port,
        grpc_listen=None if grpc == "off" else parse_listen(grpc, "--grpc-listen"),
        snapshot_folder=Path(arguments.snapshot_folder) if arguments.snapshot_folder else None,
        port_file=Path(arguments.port_file) if arguments.port_file else None,
        log_level=arguments.log_level,
        token=SecretStr(environ[ENV_TOKEN]) if environ.get(ENV_TOKEN) else None,
        kubelets=Kubelets(**_given(arguments, "kubelets", Kubelets)),
        tls=Tls(**_given(arguments, "tls", Tls)),
        access=Reviews(**_given(arguments, "access", Reviews)),
        limits=Limits(**_given(arguments, "limits", Limits)),
        analysis=Analysis(**_given(arguments, "analysis", Analysis)),
        retention=Retention(**_given(arguments, "retention", Retention)),
        own=Own(**_given(arguments, "own", Own)),
    )


def parse_listen(listen: str, option: str = "--listen") -> tuple[str, int]:
    """`HOST:PORT` or `[IPv6]:PORT` to its parts; ValueError says what is wrong."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{option} {listen!r} is not HOST:PORT with a port from 0 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _given(arguments: argparse.Namespace, title: str, model: type[BaseModel]) -> dict[str, Any]:
    values = {name: getattr(arguments, f"{title}_{name}") for name in model.model_fields}
    return {name: value for name, value in values.items() if value is not None}


def _help(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].description or ""
