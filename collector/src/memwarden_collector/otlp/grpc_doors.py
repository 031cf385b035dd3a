"""OTLP over gRPC: the services of `signals.DOORS`, with the limits and the answers of the HTTP doors.

Bytes go in and out as they are: gRPC neither parses nor inflates. Its own inflating knows no ratio, so it is off, and
a message says by its first bytes how it is compressed: no protobuf request begins like gzip, and none of OTLP like
zlib. An error is a status with google.rpc.Status in its details; what may come again has a RetryInfo, and what has
none is given up by clients (RESOURCE_EXHAUSTED for too large).

What a caller must know: gRPC holds a message of up to `max_request_bytes` for each stream before we are asked;
streams of a connection are bounded: a client that keeps to that waits for itself. Connections are not, so calls of all
of them are: `max_grpc_calls`.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn, TypeAlias

from memwarden_api.names import BATCH_ID_HEADER
from memwarden_collector.access.caller import Access
from memwarden_collector.access.certificate import Certificate
from memwarden_collector.errors import ListenFailed, Overloaded, Refused
from memwarden_collector.otlp.admission import Reservation
from memwarden_collector.otlp.compression import Compression
from memwarden_collector.otlp.encoding import Encoding
from memwarden_collector.otlp.grpc_library import aio, grpc
from memwarden_collector.otlp.intake import Intake, Sent, batch_id, retry_seconds
from memwarden_collector.otlp.signals import DOORS, Door
from memwarden_collector.otlp.status import code_of, status_message

_log = logging.getLogger(__name__)
_DOOR: Final = "grpc"
_GZIP: Final = b"\x1f\x8b"
_ZLIB_FIRST: Final = 0x78
_STREAMS: Final = 64
_CONNECTION_SECONDS: Final = 300
"""Then a client has to connect again, and finds collectors that were started since."""
_METHOD: Final = "Export"
Context: TypeAlias = "aio.ServicerContext[bytes, bytes]"
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class GrpcDoors:
    """A server on the running event loop. `start` it, `stop` it."""

    def __init__(
        self, intake: Intake, access: Access, host: str, port: int, certificate: Certificate | None
    ) -> None:
        self._intake = intake
        self._access = access
        self._certificate = certificate
        self._host = f"[{host}]" if ":" in host else host
        self._port = port
        self._calls = 0
        limit = intake.limits.max_request_bytes
        self._server = aio.server(
            options=[
                # Ours is below and names itself; far above it gRPC refuses before it has the message whole.
                ("grpc.max_receive_message_length", min(2 * limit, 2**31 - 1)),
                ("grpc.per_message_decompression", 0),
                ("grpc.max_concurrent_streams", _STREAMS),
                ("grpc.max_connection_age_ms", _CONNECTION_SECONDS * 1000),
                # It counts what Python has not yet let go of: REFUSED_STREAM also for who keeps to the limit.
                ("grpc.http.overload_protection", 0),
                ("grpc.so_reuseport", 0),  # or a second collector would quietly take half of the connections
            ]
        )

    async def start(self) -> str:
        """HOST:PORT that it listens on; raises ListenFailed."""
        for door in DOORS.values():
            # No (de)serialisers: bytes.
            method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
                self._export(door)
            )
            handler = grpc.method_handlers_generic_handler(door.service, {_METHOD: method})
            self._server.add_generic_rpc_handlers((handler,))
        try:
            port = self._add_port(f"{self._host}:{self._port}")
        except RuntimeError as error:
            raise ListenFailed(
                f"can't listen on {self._host}:{self._port} for gRPC ({error}); stop what uses the port, or choose"
                " another with --grpc-listen (off opens none)"
            ) from None
        await self._server.start()
        return f"{self._host}:{port}"

    def _add_port(self, address: str) -> int:
        certificate = self._certificate
        if certificate is None:
            return self._server.add_insecure_port(address)
        used = certificate.pair

        def newer() -> "grpc.ServerCertificateConfiguration | None":
            """Asked before each handshake; None: as before."""
            nonlocal used
            if certificate.pair is used:
                return None
            used = certificate.pair
            return _configuration(used)

        credentials = grpc.dynamic_ssl_server_credentials(_configuration(used), newer)  # type: ignore[arg-type] # may be None
        return self._server.add_secure_port(address, credentials)

    async def stop(self, seconds: float) -> None:
        """Requests in flight have so many seconds."""
        await self._server.stop(seconds)

    def _export(self, door: Door) -> Callable[[bytes, Context], Coroutine[Any, Any, bytes]]:
        async def export(request: bytes, context: Context) -> bytes:
            self._calls += 1
            try:
                return await self._take(door, request, context)
            except Refused as refused:
                self._intake.refused(refused, _DOOR)
                await _abort(refused, context)
            finally:
                self._calls -= 1

        return export

    async def _take(self, door: Door, request: bytes, context: Context) -> bytes:
        if self._calls > (most := self._intake.limits.max_grpc_calls):
            raise Overloaded(
                f"busy: {most} calls are being worked on, one more would pass max_grpc_calls={most};"
                " send it again later",
                reason="grpc_calls",
            )
        metadata = dict(context.invocation_metadata() or ())
        authorization = metadata.get("authorization", "")
        caller = await self._access.admit(
            authorization.encode() if isinstance(authorization, str) else authorization
        )
        limit = self._intake.limits.max_request_bytes
        if len(request) > limit:
            raise Refused(
                413,
                f"the message has {len(request)} bytes: over max_request_bytes={limit}; send smaller requests",
                reason="request_bytes",
            )
        key = metadata.get(BATCH_ID_HEADER)
        client_key = batch_id(key.decode("latin-1") if isinstance(key, bytes) else key)
        sent = Sent(request, _compression_of(request), Encoding.PROTOBUF, client_key)
        with Reservation(self._intake.budget) as reservation:
            reservation.grow(len(request))
            return (await self._intake.take(door, sent, reservation, caller)).SerializeToString()


def _configuration(pair: tuple[bytes, bytes]) -> "grpc.ServerCertificateConfiguration":
    chain, key = pair
    return grpc.ssl_server_certificate_configuration([(key, chain)])


def _compression_of(message: bytes) -> Compression:
    if message.startswith(_GZIP):
        return Compression.GZIP
    if len(message) > 1 and message[0] == _ZLIB_FIRST and int.from_bytes(message[:2]) % 31 == 0:
        return Compression.DEFLATE
    return Compression.NONE


async def _abort(refused: Refused, context: Context) -> NoReturn:
    seconds = retry_seconds(refused)
    details = status_message(refused.status, refused.message, seconds)
    await context.abort(
        _CODES[code_of(refused.status)],
        refused.message,
        (("grpc-status-details-bin", details),),
    )
