"""Answers that are asked for once, and what a token says of itself."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

import pytest

from memwarden_collector.access.claims import Claims, claims_of
from memwarden_collector.access.remembered import Answer, Remembered
from memwarden_collector.errors import Overloaded


class Asked:
    """Somebody who answers 10 s fresh and 100 s good, or is away; a clock beside him."""

    def __init__(self) -> None:
        self.now = 0.0
        self.times = 0
        self.away = False
        self.known: Remembered[int] = Remembered(3, lambda: self.now)

    async def ask(self) -> Answer[int]:
        self.times += 1
        await asyncio.sleep(0)
        if self.away:
            raise Overloaded("away", reason="test")
        return Answer(self.times, self.now + 10, self.now + 100)

    async def get(self, key: str = "key") -> int:
        return await self.known.get(key, self.ask)


def run(story: Callable[[Asked], Awaitable[None]]) -> None:
    async def begin() -> None:
        await story(Asked())

    asyncio.run(begin())


def test_what_is_fresh_is_not_asked_again_and_what_is_old_is() -> None:
    async def story(asked: Asked) -> None:
        assert [await asked.get(), await asked.get()] == [1, 1]
        asked.now = 10.0
        assert await asked.get() == 2

    run(story)


def test_many_wait_for_one_answer_and_one_who_goes_does_not_take_it_along() -> None:
    async def story(asked: Asked) -> None:
        tasks = [asyncio.create_task(asked.get()) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert found[1:] == [1, 1, 1, 1]

    run(story)


def test_where_nobody_can_be_asked_what_is_known_goes_on_for_a_while() -> None:
    async def story(asked: Asked) -> None:
        await asked.get()
        asked.away = True
        asked.now = 99.0
        assert await asked.get() == 1
        asked.now = 100.0
        with pytest.raises(Overloaded):
            await asked.get()
        with pytest.raises(Overloaded):
            await asked.get("never asked")
        asked.away = False
        assert await asked.get() == asked.times

    run(story)


def test_what_was_used_longest_ago_is_forgotten() -> None:
    async def story(asked: Asked) -> None:
        for key in ("a", "b", "c", "a", "d"):
            await asked.get(key)
        assert len(asked.known) == 3
        before = asked.times
        await asked.get("a")
        assert asked.times == before
        await asked.get("b")
        assert asked.times == before + 1

    run(story)


def token(payload: object) -> str:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return f"e30.{base64.urlsafe_b64encode(text).decode().rstrip('=')}.c2ln"


def test_a_token_says_for_whom_it_is_and_when_it_ends() -> None:
    assert claims_of(token({"aud": "one", "exp": 7})) == Claims(("one",), 7.0)
    assert claims_of(token({"aud": ["one", "two"], "exp": 7.5})) == Claims(("one", "two"), 7.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "..",
        "a.b.c.d",
        "a.%%%.c",
        "a.é.c",
        token(b"\xff"),
        token(b"not JSON"),
        token([]),
        token({}),
        token({"aud": "one"}),
        token({"aud": "one", "exp": True}),
        token({"aud": "one", "exp": "7"}),
        token(b'{"aud": "one", "exp": 1' + b"0" * 400 + b"}"),
        token(b'{"aud": "one", "exp": NaN}'),
        token(b'{"aud": "one", "exp": Infinity}'),
        token(b"[" * 12_000),
        token({"aud": "one", "exp": 7}) + "c" * 20_000,
    ],
)
def test_what_is_no_token_is_none(text: str) -> None:
    assert claims_of(text) is None
