"""Where the collector is, and what it takes to get in: the URL, whom to trust, and our token.

Token and CA are files that others exchange while we run (the kubelet, the injector), so the token is read at each use
and the CA at each new connection. A bundle that the collector hands out over the trust we have is kept beside the spool
and trusted too: a pod outlives the CA that it was born with. What is wrong with any of it is told in a sentence and
tried again; it never ends the sidecar.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

TOKEN_BYTES: Final = 16 << 10
BUNDLE_BYTES: Final = 256 << 10
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
# OpenSSL's X509_V_ERR_…
_NOT_YET: Final = 9
_EXPIRED: Final = 10
_WRONG_HOST: Final = frozenset({62, 64})


class Unusable(ValueError):
    """The token or the CA can't be used now; the text says which and why."""


class Destination:
    """`kept_bundle` is a file of our own for a newer bundle. For several threads."""

    def __init__(
        self,
        url: str,
        token: str = "",
        token_file: Path | None = None,
        ca_file: Path | None = None,
        kept_bundle: Path | None = None,
    ) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.port = parts.port
        self.prefix = parts.path.rstrip("/")
        self.with_tls = parts.scheme == "https"
        self._token = token
        self._token_file = token_file
        self._ca_file = ca_file
        self._kept = kept_bundle
        self._made: tuple[object, ssl.SSLContext] | None = None

    def authorization(self) -> dict[str, str]:
        """The header, none without a token. Raises Unusable."""
        token = self._token
        if self._token_file is not None:
            try:
                with self._token_file.open("rb") as file:
                    token = file.read(TOKEN_BYTES).decode("ascii", "replace").strip()
            except OSError as error:
                raise Unusable(
                    f"--token-file {self._token_file} can't be read ({error.strerror}); see the pod's projected volume"
                ) from None
            if not token or not token.isprintable() or " " in token or not token.isascii():
                # Not shown: http.client would.
                raise Unusable(
                    f"--token-file {self._token_file} holds no token; see the pod's projected volume"
                )
        return {"Authorization": f"Bearer {token}"} if token else {}

    def trust(self) -> "ssl.SSLContext":
        """For a new connection; made again when a file has changed. Raises Unusable."""
        import ssl

        files = [file for file in (self._ca_file, self._kept) if file is not None]
        state = tuple(_state(file) for file in files)
        if self._made is not None and self._made[0] == state:
            return self._made[1]
        context = (
            ssl.create_default_context()
            if self._ca_file is None
            else ssl.create_default_context(cadata=self._bundle(self._ca_file))
        )
        # Own CAs often lack what Python 3.13 asks of a public one; they are named by file all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self._kept is not None and self._kept.exists():
            with suppress(Unusable, ssl.SSLError):
                context.load_verify_locations(cadata=self._bundle(self._kept))
        self._made = (state, context)
        return context

    def _bundle(self, file: Path) -> str:
        """The certificates of a PEM file. Raises Unusable."""
        import ssl

        try:
            with file.open("rb") as opened:
                text = opened.read(BUNDLE_BYTES).decode("ascii", "replace")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
        except OSError as error:  # ssl.SSLError is one
            raise Unusable(
                f"--ca-file {file} can't be used ({error.strerror or error}); it has to hold the collector's CA as PEM"
            ) from None
        except ValueError:
            raise Unusable(f"--ca-file {file} is empty; it has to hold the collector's CA as PEM") from None
        return text

    @property
    def keeps_bundles(self) -> bool:
        return self.with_tls and self._kept is not None

    def keep(self, bundle: bytes) -> None:
        """A bundle that the collector handed out: trusted from the next connection on, also after a restart.

        What is none, or can't be written, is left alone: the trust that we have still holds.
        """
        import ssl

        if self._kept is None or len(bundle) >= BUNDLE_BYTES or _BEGIN not in bundle:
            return
        part = self._kept.with_name(f".{self._kept.name}.part")
        with suppress(OSError, ValueError):
            if self._kept.exists() and self._kept.read_bytes() == bundle:
                return
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=bundle.decode("ascii"))
            part.write_bytes(bundle)
            part.replace(self._kept)

    def explain(self, error: Exception) -> str:
        """What went wrong with a connection, with what to do."""
        if not self.with_tls:
            return str(error) or type(error).__name__
        import ssl

        if isinstance(error, ssl.SSLCertVerificationError):
            return self._distrust(error.verify_code, error.verify_message)
        if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
            return f"{self.host} speaks no TLS at that port; write http:// in --collector, or give it a certificate"
        return str(error) or type(error).__name__

    def _distrust(self, code: int, said: str) -> str:
        if code in (_EXPIRED, _NOT_YET):
            return (
                f"the certificate of {self.host} is not valid now ({said}); renew it at the collector, or set this "
                "machine's clock"
            )
        if code in _WRONG_HOST:
            return (
                f"the certificate is not for {self.host} ({said}); write --collector as its certificate names "
                "it, or add the name to the certificate"
            )
        named = "the system's CAs" if self._ca_file is None else f"--ca-file {self._ca_file}"
        return f"the certificate of {self.host} is by nobody whom {named} names ({said}); put the collector's CA there"


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
