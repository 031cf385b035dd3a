"""The doors' certificate: read from two files, and read again when they change, without dropping a request.

One TLS context lives as long as the process; a new pair is put into it between two handshakes; connections that are
open go on with the old one. What can't be used (half written, a key that doesn't fit) is said, and the old pair stays.
Files are read once and handed over as bytes in memory, so that certificate and key are of one moment.
"""

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from memwarden_collector.errors import CertificateUnusable
from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
LOOK_SECONDS: Final = 5.0
_MAX_BYTES: Final = 1 << 20
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_VALIDITY: Final = 3
"""Its place after version: serial number, algorithm, issuer, validity."""


class Certificate:
    """Raises CertificateUnusable when it is made. `context` speaks TLS 1.3 and nothing older."""

    def __init__(self, certificate_file: Path, key_file: Path, telemetry: Telemetry) -> None:
        self._files = (certificate_file, key_file)
        self._telemetry = telemetry
        self._seen = self._state()
        self.pair = self._read()
        """Chain and key, PEM."""
        self.context = _context(*self.pair)
        self._expires = expires(self.pair[0])
        telemetry.gauge("certificate_expiry_seconds", lambda: self._expires - time.time())

    def look(self) -> bool:
        """Whether a new pair was taken. On the event loop's thread, where no handshake is then."""
        try:
            seen = self._state()
            if seen == self._seen:
                return False
            pair = self._read()
            _context(*pair)  # a live context would keep half of a pair that does not fit
            _load(self.context, *pair)
            self._expires = expires(pair[0])
        except CertificateUnusable as error:
            self._telemetry.count("errors_total", job="certificate", cause="unusable")
            _log.error("%s; the old certificate stays", error)
            return False
        self._seen, self.pair = seen, pair
        _log.info("a new certificate is used, which ends %s", datetime.fromtimestamp(self._expires, UTC))
        return True

    async def watch(self) -> None:
        """Look again and again; ends when it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def _state(self) -> tuple[tuple[int, int, int], ...]:
        try:
            states = [file.stat() for file in self._files]
        except OSError as error:
            raise _unreadable(error) from None
        return tuple((state.st_mtime_ns, state.st_ino, state.st_size) for state in states)

    def _read(self) -> tuple[bytes, bytes]:
        try:
            chain, key = (file.read_bytes()[:_MAX_BYTES] for file in self._files)
        except OSError as error:
            raise _unreadable(error) from None
        return chain, key


def _unreadable(error: OSError) -> CertificateUnusable:
    return CertificateUnusable(
        f"can't read {error.filename} ({error.strerror}); see --tls-cert-file, --tls-key-file and the mounted secret"
    )


def _context(chain: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    _load(context, chain, key)
    return context


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    try:
        with ExitStack() as stack:
            chain_path, key_path = (stack.enter_context(_in_memory(text)) for text in (chain, key))
            context.load_cert_chain(chain_path, key_path, password="")
    except (OSError, ValueError) as error:
        raise CertificateUnusable(
            f"certificate and key can't be used ({error}); give a PEM chain and its PEM key, not encrypted"
        ) from None


@contextmanager
def _in_memory(text: bytes) -> Iterator[str]:
    """A path to these bytes, which are on no disk."""
    descriptor = os.memfd_create("memwarden-tls", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(text)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def expires(chain: bytes) -> float:
    """Unix seconds at which the first certificate of a PEM chain ends. Raises CertificateUnusable.

    Read off its DER (RFC 5280, 4.1): the standard library tells it of peers only.
    """
    try:
        first = chain.decode("ascii").partition("-----END CERTIFICATE-----")
        start = first[0].index("-----BEGIN CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(first[0][start:] + first[1] + "\n")
        _, certificate, _ = _element(der)
        _, body, _ = _element(certificate)
        if body[0] == _VERSION:
            body = _element(body)[2]
        for _ in range(_VALIDITY):
            body = _element(body)[2]
        _, validity, _ = _element(body)
        kind, moment, _ = _element(_element(validity)[2])
        form = "%y%m%d%H%M%SZ" if kind == _UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.strptime(moment.decode("ascii"), form).replace(tzinfo=UTC).timestamp()
    except (ValueError, IndexError) as error:
        raise CertificateUnusable(f"the certificate can't be read ({error}); give a PEM chain") from None


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what follows it."""
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start])
    if len(der) < start + length:
        raise ValueError("it is cut short")
    return tag, der[start : start + length], der[start + length :]
