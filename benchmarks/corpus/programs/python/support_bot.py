"""A bot that answers questions of customers; for its answer it wants the last eight messages of a chat."""

import asyncio
import random
from collections import OrderedDict, deque

from traffic.shape import factor, load_name, seed

CHATS = 250
MESSAGES = 8
WORDS = "please help me with the order that came yesterday because one part of it is broken and two are missing".split()


class Memory:
    """Chats, the ones that were heard of last at the end."""

    def __init__(self):
        self.chats = OrderedDict()

    def chat(self, name):
        if name not in self.chats:
            self.chats[name] = deque(maxlen=MESSAGES)
            if len(self.chats) > CHATS:
                self.chats.popitem(last=False)
        self.chats.move_to_end(name)
        return self.chats[name]


class Bot:
    """Hears and answers."""

    def __init__(self):
        self.memory, self.answered = Memory(), 0

    async def hear(self, name, text):
        chat = self.memory.chat(name)
        chat.append(
            {"text": text, "tokens": text.split(), "weights": [len(word) / 9 for word in text.split()]}
        )
        await asyncio.sleep(0.15)
        words = {word for message in chat for word in message["tokens"]}
        self.answered += len(words)


def customer(draw):
    """Some write all the time, most do so once in a while."""
    return f"customer-{draw.randrange(120) if draw.random() < 0.5 else draw.randrange(120, 1500)}"


async def main():
    draw = random.Random(seed())
    bot, answers, elapsed = Bot(), set(), 0.0
    while elapsed >= 0:
        wait = draw.expovariate(60 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        text = " ".join(draw.choices(WORDS, k=draw.randint(10, 70)))
        answer = asyncio.create_task(bot.hear(customer(draw), text))
        answers.add(answer)
        answer.add_done_callback(answers.discard)


if __name__ == "__main__":
    asyncio.run(main())
