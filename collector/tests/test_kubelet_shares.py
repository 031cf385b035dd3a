"""Is each node read by one collector, and does one that goes leave only its own nodes?"""

from collector_processes import Server

from memwarden_collector.kubelet.shares import share
from memwarden_collector.store.connection import Database
from memwarden_collector.store.presence import Presence

NODES = [f"node-{number}" for number in range(300)]


def test_nodes_are_shared_out_whole_evenly_and_stay_where_they_are() -> None:
    three = {me: share(NODES, me, [11, 22, 33]) for me in (11, 22, 33)}
    assert sorted(node for nodes in three.values() for node in nodes) == sorted(NODES)
    assert all(60 < len(nodes) < 140 for nodes in three.values())
    two = {me: share(NODES, me, [11, 33]) for me in (11, 33)}
    for me, nodes in two.items():
        assert set(three[me]) <= set(nodes)


def test_collectors_know_of_each_other_by_their_database(server: Server) -> None:
    database, other = Database(server.url()), Database(server.url("template1"))
    one, two, elsewhere = Presence(database), Presence(database), Presence(other)
    try:
        elsewhere.peers()
        me, alone = one.peers()
        assert alone == [me]
        second, both = two.peers()
        assert both == sorted((me, second))
        assert one.peers() == (me, both)
        two.leave()
        while one.peers()[1] != [me]:  # the database ends the session a moment later
            pass
    finally:
        for presence in (one, two, elsewhere):
            presence.leave()
        database.close()
        other.close()
