"""Which replica reads which node: the one whose hash with it is the highest. When one goes, only its nodes move."""

import hashlib
from collections.abc import Sequence


def share(nodes: Sequence[str], me: int, peers: Sequence[int]) -> list[str]:
    """The nodes of `me`; `peers` are all that are alive, `me` among them."""
    return [node for node in nodes if max(peers, key=lambda peer: _weight(node, peer)) == me]


def _weight(node: str, peer: int) -> bytes:
    return hashlib.blake2b(f"{peer}/{node}".encode(), digest_size=8).digest()
