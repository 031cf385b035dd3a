"""Leaks: every visitor's session record is appended to a list that nobody ever empties."""

import time

SESSIONS = []


def open_session(number):
    """Keep what is known of a visitor."""
    SESSIONS.append(
        {"id": number, "agent": f"browser/{number}", "path": [f"/page/{number + i}" for i in range(60)]}
    )


def main():
    number = 0
    while True:
        for _ in range(6):
            number += 1
            open_session(number)
        sum(len(str(i)) for i in range(400))  # work that leaves nothing behind
        time.sleep(0.05)


if __name__ == "__main__":
    main()
