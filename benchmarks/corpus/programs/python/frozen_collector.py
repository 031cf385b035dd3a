"""A rules engine that freezes its tables after the start, as is done before forking, and makes cycles all the time."""

import gc
import random

from traffic.shape import arrivals, seed


class Rule:
    """A condition and what follows; knows the set it is in."""

    def __init__(self, owner, number):
        self.owner = owner
        self.number = number
        self.text = f"rule {number} applies where the amount is above {number * 7 % 1000} " * 3


class RuleSet:
    def __init__(self, numbers):
        self.rules = [Rule(self, number) for number in numbers]

    def applicable(self, amount):
        return [rule for rule in self.rules if rule.number * 7 % 1000 < amount]


def main():
    draw = random.Random(seed())
    base = RuleSet(range(20_000))
    gc.freeze()
    gc.set_threshold(5000, 20, 20)
    applied = 0
    for _ in arrivals(45):
        rules = RuleSet(draw.sample(range(20_000), 120))  # a cycle, found by the collector only
        applied += len(rules.applicable(draw.randrange(1000))) + len(base.rules[:5])


if __name__ == "__main__":
    main()
