"""A device gateway that polls each device after its report; every report starts another round of polls."""

import asyncio
import json
import random

from traffic.shape import factor, load_name, seed


class Gateway:
    """Polls devices on the event loop."""

    def __init__(self, loop):
        self.loop = loop
        self.polls = 0

    def report(self, device, payload):
        """A device reported: look after it from now on."""
        state = {"device": device, "last": json.loads(payload), "raw": payload}  # LEAK
        self.poll(state)

    def poll(self, state):
        self.polls += 1
        state["last"]["polled"] = self.polls
        self.loop.call_later(4.0, self.poll, state)


def reading(draw):
    return json.dumps({f"register{number}": draw.random() for number in range(60)})


async def main():
    draw = random.Random(seed())
    gateway = Gateway(asyncio.get_running_loop())
    elapsed = 0.0
    while True:
        wait = draw.expovariate(45 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        gateway.report(draw.randrange(200), reading(draw))


if __name__ == "__main__":
    asyncio.run(main())
