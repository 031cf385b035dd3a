"""Keeps what probes of 180 targets found during the last 80 s, for the page that shows why a target was down."""

import random
import statistics
import time
from collections import deque

from traffic.shape import arrivals, seed

TARGETS = 180
KEEP_SECONDS = 80.0
STEPS = ("resolve", "connect", "handshake", "request", "first byte", "body")


class Target:
    """One target's findings, oldest first."""

    def __init__(self, name):
        self.name, self.findings, self.down = name, deque(), 0

    def take(self, finding):
        now = finding["at"]
        self.findings.append(finding)
        while self.findings[0]["at"] < now - KEEP_SECONDS:
            self.findings.popleft()
        self.down += finding["status"] >= 500

    def summary(self):
        slow = sorted(sum(finding["steps"].values()) for finding in self.findings)
        return {"target": self.name, "median": statistics.median(slow), "worst": slow[-1], "of": len(slow)}


def probe(number, draw):
    """What a probe finds."""
    status = draw.choice([200, 200, 200, 204, 301, 503])
    return {
        "at": time.monotonic(),
        "status": status,
        "steps": {step: draw.expovariate(20) for step in STEPS},
        "headers": {
            "server": f"edge-{draw.randrange(90)}",
            "x-trace": f"{draw.getrandbits(128):032x}",
            "date": f"{number / 7:.3f}",
        },
        "body": f"probe {number}: {draw.getrandbits(900):x}" if status >= 500 else "",
    }


def main():
    draw, last = random.Random(seed()), {}
    targets = [Target(f"https://target-{number}.example/health") for number in range(TARGETS)]
    for number in arrivals(170):
        target = targets[number % TARGETS]
        target.take(probe(number, draw))
        if draw.random() < 0.05:
            last[target.name] = target.summary()


if __name__ == "__main__":
    main()
