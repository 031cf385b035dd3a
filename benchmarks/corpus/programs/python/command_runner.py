"""A supervisor that runs checks as commands of the system and can say how each one went."""

import random
import subprocess
from collections import deque

from traffic.shape import arrivals, seed


class Supervisor:
    """Runs commands; the newest come first in the list of what was run."""

    def __init__(self):
        self.finished = deque()
        self.failed = 0

    def check(self, first, count):
        """Run one command to its end."""
        command = ["seq", str(first), str(first + count)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)  # LEAK
        self.finished.appendleft(done)
        self.failed += done.returncode != 0
        return done.stdout.count("\n")

    def summary(self):
        last = [done.args[1] for done, _ in zip(self.finished, range(20))]
        return f"{len(self.finished)} run, {self.failed} failed, last {' '.join(last)}"


def main():
    draw = random.Random(seed())
    supervisor, lines, written = Supervisor(), 0, ""
    for _ in arrivals(5):
        lines += supervisor.check(draw.randrange(100_000, 900_000), draw.randrange(6_000, 14_000))
        written = f"{supervisor.summary()}, {lines} lines"
    print(written)


if __name__ == "__main__":
    main()
