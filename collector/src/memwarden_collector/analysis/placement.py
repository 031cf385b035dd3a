"""Putting scopes where they belong: the workload that the controller names, else the one that they name themselves."""

from collections.abc import Sequence

from memwarden_collector.analysis.identity import Owner, identify
from memwarden_collector.store import leaks, workloads
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.workloads import Belonging, Candidate


def place(connection: Connection, scope_ids: Sequence[int]) -> dict[int, int]:
    """The workload of each scope; those that are at none yet are put to one. For others nothing changes."""
    there = {one.scope_id: one.workload_id for one in workloads.read_states(connection, scope_ids)}
    missing = [number for number in scope_ids if number not in there]
    if missing:
        found = workloads.read_candidates(connection, missing)
        there |= workloads.place(connection, [_belonging(one) for one in found])
    return there


def place_again(connection: Connection, scope_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Where these belong by what is known now: scope → (workload before, workload now).

    Leaks go along with the last container of a workload.
    """
    with connection.transaction():
        before = {one.scope_id: one.workload_id for one in workloads.read_states(connection, scope_ids)}
        found = workloads.read_candidates(connection, scope_ids)
        now = workloads.place(connection, [_belonging(one) for one in found])
        moved = {number: (before.get(number, after), after) for number, after in now.items()}
        leaks.move(connection, dict(pair for pair in moved.values() if pair[0] != pair[1]))
    return moved


def _belonging(candidate: Candidate) -> Belonging:
    owner = None if candidate.owner is None else Owner(*candidate.owner)
    identity = identify(candidate.name, candidate.kind, candidate.attributes, owner)
    return Belonging(
        scope_id=candidate.scope_id,
        workload=identity.workload,
        namespace=identity.namespace,
        kind=identity.kind,
        owner=identity.owner,
        container=identity.container,
        pod=identity.pod,
        pod_uid=identity.pod_uid,
        version=identity.version,
        first_seen=candidate.first_seen,
    )
