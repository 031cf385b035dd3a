"""A server's certificate from files: loaded anew when they change, without a request being dropped.

Kubernetes swaps a mounted Secret as a whole, but reading certificate and key is two steps: a pair that does not fit is
left alone until the next look. New connections get the new certificate, those that are open go on.
"""

import base64
import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


class CertificateFile:
    """Nothing is loaded before the first `reload` or `look`."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self.context = _context()
        self.expires_at = 0.0
        """Unix seconds; 0: none is loaded."""
        self._loaded: tuple[bytes, bytes] = (b"", b"")

    def reload(self) -> bool:
        """Look at the files; whether something new was loaded. Raises OSError, ssl.SSLError or ValueError."""
        found = (self._certificate.read_bytes(), self._key.read_bytes())
        if found == self._loaded:
            return False
        # A pair that does not fit would leave the context half changed.
        _context().load_cert_chain(self._certificate, self._key)
        expires_at = expiry(found[0].decode("ascii", "replace")).timestamp()
        self.context.load_cert_chain(self._certificate, self._key)
        self._loaded, self.expires_at = found, expires_at
        return True

    def look(self) -> None:
        """As `reload`, for a clock: what is wrong is told, and the old certificate serves on."""
        try:
            if self.reload():
                _log.info("a new certificate, valid until %s", datetime.fromtimestamp(self.expires_at, UTC))
        except (OSError, ValueError) as error:
            _log.warning(
                "can't load the certificate %s: %s; the one before serves on", self._certificate, error
            )


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def expiry(pem: str) -> datetime:
    """When the first certificate of a PEM text expires. Raises ValueError.

    Read from its DER by hand: the standard library shows no certificate that it has not met in a handshake, and a
    library for it would take 8 MiB of each replica.
    """
    start, end = pem.find(_BEGIN), pem.find(_END)
    if start < 0 or end < 0:
        raise ValueError("there is no certificate in it")
    try:
        return _expiry(base64.b64decode(pem[start + len(_BEGIN) : end]))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"the certificate can't be read: {error}") from None


def _expiry(der: bytes) -> datetime:
    _, certificate, _ = _element(der)
    _, signed, _ = _element(certificate)
    tag, _, rest = _element(signed)
    # version (only if tagged), serial number, algorithm, issuer; then validity.
    for _ in range(3 if tag == 0xA0 else 2):
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    _, _, after = _element(validity)
    tag, text, _ = _element(after)
    form = "%y%m%d%H%M%SZ" if tag == 0x17 else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """(tag, content, what follows)"""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + length], data[start + length :]
