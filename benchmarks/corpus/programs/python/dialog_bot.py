"""A bot for bookings: each chat is led through five questions, one after the other."""

import asyncio
import random

from traffic.shape import factor, load_name, seed

QUESTIONS = ("Where to?", "When?", "For how many?", "Which class?", "Shall I book it?")
BRANCHES = 30


class Bot:
    """The chats that are in the middle of something."""

    def __init__(self):
        self.inboxes, self.dialogs, self.booked = {}, {}, 0

    async def lead(self, chat):
        """Ask and wait, five times."""
        said = []
        for question in QUESTIONS:
            said.append({"asked": question, "hints": hints(chat, question)})  # LEAK
            said[-1]["answer"] = await self.inboxes[chat].get()
        self.booked += 1
        del self.inboxes[chat], self.dialogs[chat]

    def update(self, chat, text):
        if chat not in self.inboxes:
            self.inboxes[chat] = asyncio.Queue()  # LEAK
            self.dialogs[chat] = asyncio.create_task(self.lead(chat))  # LEAK
        else:
            self.inboxes[chat].put_nowait(text)


def hints(chat, question):
    """Buttons below a question."""
    return [f"{question} {chat % 97} by branch {branch}" for branch in range(BRANCHES)]  # LEAK


async def person(bot, chat, draw):
    """Answers after a while, or goes away to do something else."""
    bot.update(chat, "/start")
    for _ in QUESTIONS:
        await asyncio.sleep(draw.uniform(0.1, 1.5))
        if draw.random() < 0.25:
            return
        bot.update(chat, f"answer {draw.randrange(1000)} of {chat}")


async def main():
    draw = random.Random(seed())
    bot, people, elapsed = Bot(), set(), 0.0
    for chat in range(10**9):
        wait = draw.expovariate(32 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        coming = asyncio.create_task(person(bot, chat, draw))
        people.add(coming)
        coming.add_done_callback(people.discard)


if __name__ == "__main__":
    asyncio.run(main())
