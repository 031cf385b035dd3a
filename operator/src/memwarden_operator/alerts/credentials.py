"""Credentials for Prometheus and Alertmanager: the files of a folder, as a Secret is mounted; read before each request.

`token` is a bearer token; `username` and `password` are of basic auth; `ca.crt` is what the certificate is checked by.
Each may be missing. A Secret that is exchanged needs no restart.
"""

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path

TOKEN, USERNAME, PASSWORD, AUTHORITY = "token", "username", "password", "ca.crt"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is sent with."""

    headers: dict[str, str]
    trust: ssl.SSLContext | bool
    """True: the system's."""


def read(folder: Path | None) -> Credentials:
    """Raises OSError and ssl.SSLError for a file that is there and can't be used."""
    if folder is None:
        return Credentials({}, trust=True)
    token, username = _text(folder / TOKEN), _text(folder / USERNAME)
    headers = {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif username:
        both = f"{username}:{_text(folder / PASSWORD)}"
        headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
    authority = folder / AUTHORITY
    return Credentials(headers, ssl.create_default_context(cafile=authority) if authority.exists() else True)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""
