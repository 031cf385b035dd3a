"""gRPC's library, such that its TLS doors take TLS 1.3 only. Import `grpc` and `aio` of the collector from here.

The library has no setting for the lowest version. It has one for the ciphers of TLS 1.2, and none for those of 1.3: so
1.2 is left with one that needs a key shared beforehand, which nobody has, and no handshake of it succeeds. The library
reads that from the environment once, as it is imported; the variable goes again at once, so that no child process
inherits it. Whoever sets it himself has what he says.
"""

import os
from typing import Final

_VARIABLE: Final = "GRPC_SSL_CIPHER_SUITES"
_OF_NO_USE: Final = "ECDHE-PSK-AES128-CBC-SHA"
_is_ours: Final = _VARIABLE not in os.environ
os.environ.setdefault(_VARIABLE, _OF_NO_USE)

import grpc  # noqa: E402 - it reads the variable here
from grpc import aio  # noqa: E402

if _is_ours:
    del os.environ[_VARIABLE]

__all__ = ["aio", "grpc"]
