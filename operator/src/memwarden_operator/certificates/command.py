"""`memwarden-operator certificates`: once (a hook of the chart), or every so often (beside the controller)."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from memwarden_api.quantities import duration_seconds
from memwarden_operator.errors import CannotStart
from memwarden_operator.version import VERSION


class Certificates:
    name = "certificates"
    summary = "make and renew the certificates of webhook and collector"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--namespace", required=True, metavar="NAME", help="where the Secrets are")
        add("--ca-secret", default="memwarden-ca", metavar="NAME", help="of the authority (%(default)s)")
        add("--secret", default="memwarden-tls", metavar="NAME", help="for servers to mount (%(default)s)")
        add("--names", required=True, metavar="NAMES", help="of the Services, as in one,two")
        add("--webhook", default="", metavar="NAME", help="MutatingWebhookConfiguration that gets the bundle")
        add("--every", default="", metavar="DURATION", help="look again so often, as in 1h (once)")
        add("--api-server", default="", metavar="URL", help="of the API server (as a pod is told)")
        add("--api-token-file", type=Path, metavar="FILE", help="with --api-server: the bearer token")
        add(
            "--api-ca-file", type=Path, metavar="FILE", help="with --api-server: who may sign its certificate"
        )

    def run(self, arguments: argparse.Namespace) -> int:
        """Raises CannotStart, NotWritten."""
        every = None
        if arguments.every:
            try:
                every = duration_seconds(arguments.every)
            except ValueError as error:
                raise CannotStart(f"--every: {error}") from None
        logging.basicConfig(format="memwarden-certificates: %(message)s", level="INFO", stream=sys.stderr)
        asyncio.run(_run(arguments, every))
        return 0


def dns_names(services: str, namespace: str) -> tuple[str, ...]:
    """By which Services are called, from near and far."""
    found = [name.strip() for name in services.split(",") if name.strip()]
    if not found:
        raise CannotStart("--names names no Service")
    return tuple(
        f"{name}{end}"
        for name in found
        for end in ("", f".{namespace}", f".{namespace}.svc", f".{namespace}.svc.cluster.local")
    )


async def _run(arguments: argparse.Namespace, every: float | None) -> None:
    # Imported here: --help needs neither HTTP nor cryptography.
    import aiohttp

    from memwarden_operator.certificates.writer import NotWritten, Targets, write
    from memwarden_operator.injector.api import Access, Api

    access = Access.in_cluster()
    if arguments.api_server:
        access = Access(arguments.api_server, arguments.api_token_file, arguments.api_ca_file)
    if access is None:
        raise CannotStart(
            "this is no pod; say where the API server is: --api-server, --api-token-file, --api-ca-file"
        )
    targets = Targets(
        arguments.namespace,
        arguments.ca_secret,
        arguments.secret,
        dns_names(arguments.names, arguments.namespace),
        arguments.webhook,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Api(access, f"memwarden-certificates/{VERSION}") as api:
        while True:
            try:
                await write(api, targets)
            except (NotWritten, aiohttp.ClientError, TimeoutError, OSError) as error:
                if every is None:
                    raise (
                        error
                        if isinstance(error, NotWritten)
                        else NotWritten(f"{type(error).__name__}: {error}")
                    ) from None
                logging.getLogger(__name__).warning("%s; trying again in %g s", error, every)
            if every is None:
                return
            try:
                await asyncio.wait_for(stop.wait(), every)
            except TimeoutError:
                continue
            return
