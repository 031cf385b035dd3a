"""Learns when to send which lift: what was seen goes to a memory of fixed size, from which the model is trained."""

import random

import numpy
from traffic.shape import arrivals, seed

CAPACITY = 88_000
STATE = 96
ACTIONS = 8
STEPS = 70


class Memory:
    """What was seen, what was done and what came of it; when it is full, the oldest is written over."""

    def __init__(self):
        self.states = numpy.zeros((CAPACITY, STATE), dtype=numpy.float32)
        self.actions = numpy.zeros(CAPACITY, dtype=numpy.int64)
        self.rewards = numpy.zeros(CAPACITY, dtype=numpy.float32)
        self.following = numpy.zeros((CAPACITY, STATE), dtype=numpy.float32)
        self.next, self.size = 0, 0

    def put(self, states, actions, rewards, following):
        places = (self.next + numpy.arange(len(states))) % CAPACITY
        self.states[places], self.actions[places] = states, actions
        self.rewards[places], self.following[places] = rewards, following
        self.next = (self.next + len(states)) % CAPACITY
        self.size = min(self.size + len(states), CAPACITY)

    def sample(self, count, numbers):
        places = numbers.integers(self.size, size=count)
        return self.states[places], self.actions[places], self.rewards[places], self.following[places]


class Model:
    """Linear in what is seen; learns by small steps."""

    def __init__(self):
        self.weights = numpy.zeros((STATE, ACTIONS), dtype=numpy.float32)

    def learn(self, states, actions, rewards, following):
        wanted = rewards + 0.9 * (following @ self.weights).max(axis=1)
        rows = numpy.arange(len(actions))
        wrong = wanted - (states @ self.weights)[rows, actions]
        for action in range(ACTIONS):
            chosen = actions == action
            self.weights[:, action] += 1e-5 * (states[chosen].T @ wrong[chosen])


def main():
    draw = random.Random(seed())
    numbers = numpy.random.default_rng(draw.getrandbits(32))
    memory, model = Memory(), Model()
    states = numbers.standard_normal((STEPS, STATE), dtype=numpy.float32)
    for _ in arrivals(15):
        actions = numbers.integers(ACTIONS, size=STEPS)
        following = 0.9 * states + 0.1 * numbers.standard_normal((STEPS, STATE), dtype=numpy.float32)
        memory.put(states, actions, following[:, 0] - 0.1 * actions, following)
        model.learn(*memory.sample(64, numbers))
        states = following


if __name__ == "__main__":
    main()
