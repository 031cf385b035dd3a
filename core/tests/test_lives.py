"""What the life before says of this one: growth up to where it came to rest is expected, and no further."""

from eager import replay

from memwarden_core.recording import Recording
from memwarden_core.synthetic import MB, Shape, SyntheticProcess, SyntheticSite, constant, for_ever, record
from memwarden_core.verdict import Kind, Verdict

LIMIT = 2048 * MB
FIRST = 300
"""Ticks of the life before."""


def lives(first_grows_for: float, ticks: int = 520) -> Recording:
    """A process that grows for so long and then rests, and its next life, which always grows: 1 MB a tick both."""
    before = SyntheticSite("fill", constant(1.0 * MB, 2, first_grows_for), for_ever)
    now = SyntheticSite("fill_again", constant(1.0 * MB, FIRST + 2), for_ever)
    first = SyntheticProcess([before], 60 * MB, 0, FIRST)
    second = SyntheticProcess([now], 60 * MB, FIRST)
    return record(Shape([first, second], limit_bytes=LIMIT), ticks, 11)


def second_life(recording: Recording) -> list[Verdict]:
    return [verdict for verdict in replay(recording) if verdict.at > recording.started + FIRST + 5]


def test_growth_up_to_where_the_life_before_rested_is_no_leak() -> None:
    verdicts = second_life(lives(first_grows_for=190, ticks=FIRST + 180))
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}
    assert verdicts[-1].kind is Kind.CACHE_FILLING
    assert "its life before came to rest at 2" in verdicts[-1].reason


def test_what_goes_beyond_it_is_a_leak() -> None:
    verdicts = second_life(lives(first_grows_for=60, ticks=FIRST + 200))
    assert verdicts[-1].kind is Kind.LEAKING


def test_a_life_that_grew_until_it_ended_is_no_excuse() -> None:
    verdicts = second_life(lives(first_grows_for=FIRST, ticks=FIRST + 190))
    assert verdicts[-1].kind is Kind.LEAKING


def test_without_a_life_before_it_is_judged_alone() -> None:
    site = SyntheticSite("fill", constant(1.0 * MB), for_ever)
    recording = record(Shape([SyntheticProcess([site], 60 * MB)], limit_bytes=LIMIT), 200, 11)
    *_, verdict = replay(recording)
    assert verdict.kind is Kind.LEAKING
    assert next(gate for gate in verdict.gates if gate.name == "no-life-before").passed
