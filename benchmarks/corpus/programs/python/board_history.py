"""A planning board: its state is kept now and then, the last ones can be gone back to."""

from traffic.shape import arrivals

HISTORY = []
STEPS_BACK = 9


def board(number):
    """All cards of the board as they are now."""
    return {
        card: f"card {card} in lane {(card + number) % 6}, moved {number} times; " * 6 for card in range(6000)
    }


def keep(state):
    HISTORY.append(state)
    HISTORY[:] = HISTORY[-STEPS_BACK:]


if __name__ == "__main__":
    for number in arrivals(0.24):
        keep(board(number))
