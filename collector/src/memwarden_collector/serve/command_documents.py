"""Commands as documents, and the short way of the request that thousands of sidecars make again and again.

A route of the interface takes several times what this does, and 10 000 sidecars ask 200 times a second. What is not
well-formed is left to the route, which says what is wrong.
"""

from typing import Final
from urllib.parse import parse_qsl

from memwarden_api import cluster as api
from memwarden_collector.serve.command_desk import LONGEST_WAIT_SECONDS, CommandDesk
from memwarden_collector.store import commands

_NOTHING: Final = b'{"items":[]}'
_PARAMETERS: Final = {"pod_uid", "wait"}
_MOST_CHARACTERS: Final = 253


async def next_commands(desk: CommandDesk, query_string: bytes) -> bytes | None:
    """JSON of what there is to do, once there is something; None for a query that is not well-formed.

    Raises StoreError, Overloaded.
    """
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    query = dict(pairs)
    pod_uid = query.get("pod_uid", "")
    try:
        wait = float(query.get("wait", "0"))
    except ValueError:
        return None
    if len(pairs) != len(query) or not query.keys() <= _PARAMETERS or "\x00" in pod_uid:
        return None
    if not 0 < len(pod_uid) <= _MOST_CHARACTERS or not 0 <= wait <= LONGEST_WAIT_SECONDS:
        return None
    found = await desk.wait(pod_uid, wait)
    if not found:
        return _NOTHING
    return api.Commands(items=tuple(map(command_document, found))).model_dump_json().encode()


def command_document(row: commands.CommandRow) -> api.Command:
    """As it is told."""
    result = None
    if row.done is not None and row.result_at is not None:
        result = api.CommandResult(done=row.done, message=row.message or "", at=row.result_at)
    return api.Command.model_validate(
        {
            "id": str(row.command_id),
            "state": row.state,
            "made_at": row.made_at,
            "expires_at": row.expires_at,
            "result": result,
            "pod_uid": row.pod_uid,
            "container": row.container,
            "pid": row.pid,
            "kind": row.kind,
            "sampling_bytes": row.sampling_bytes,
            "expires_in_seconds": row.expires_in_seconds,
        }
    )
