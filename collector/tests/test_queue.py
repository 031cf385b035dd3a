"""When a container that was judged is judged again. Pure."""

from memwarden_collector.analysis.queue import Wish, wish
from memwarden_collector.analysis.watch import Looked, Watched
from memwarden_collector.settings import Analysis
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Kind

INTERVAL = 15.0


def wished(
    kind: Kind, *, judged_ago: float, grows_for: float | None = None, at_risk: bool = False
) -> Wish | None:
    at, now = 1e9, 1e6
    watched = Watched(
        scope_id=1,
        name="shop/web/app@1",
        workload_id=1,
        interval=INTERVAL,
        first_seen=at - 86_400,
        at=at,
        kind=kind,
        judged=True,
        judged_by_clock=now - judged_ago,
        heard_by_clock=now,
        grows_since=None if grows_for is None else at - grows_for,
        at_risk=at_risk,
    )
    return wish(Looked(watched, None), now, Analysis(), JudgeSettings())


def test_what_has_begun_to_grow_is_judged_at_each_look() -> None:
    assert wished(Kind.GROWING, judged_ago=75) is Wish.GROWING
    assert wished(Kind.LEAKING, judged_ago=75, grows_for=900) is Wish.GROWING
    assert wished(Kind.LEAKING, judged_ago=75) is Wish.GROWING


def test_an_old_leak_is_judged_more_seldom_and_never_left_alone() -> None:
    assert wished(Kind.LEAKING, judged_ago=75, grows_for=2 * 3600) is None
    assert wished(Kind.LEAKING, judged_ago=361, grows_for=2 * 3600) is Wish.GROWING
    assert wished(Kind.LEAKING, judged_ago=590, grows_for=7 * 86_400) is None
    assert wished(Kind.LEAKING, judged_ago=601, grows_for=7 * 86_400) is Wish.GROWING


def test_a_leak_that_is_about_to_kill_is_judged_at_each_look() -> None:
    assert wished(Kind.LEAKING, judged_ago=75, grows_for=7 * 86_400, at_risk=True) is Wish.GROWING
