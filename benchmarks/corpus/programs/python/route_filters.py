"""A mail gateway whose filters are POSIX expressions of the C library; the rules are read again when they changed."""

import ctypes
import random

from traffic.shape import arrivals, seed

LIBC = ctypes.CDLL(None)
REG_EXTENDED, REG_NOSUB = 1, 8
ROOM = 128
"""More than a regex_t has anywhere."""
FOLDERS = "sales support jobs press billing returns".split()


class Filter:
    """One expression, and the folder that its mails go to."""

    def __init__(self, expression, folder):
        self.compiled, self.folder = ctypes.create_string_buffer(ROOM), folder
        if LIBC.regcomp(self.compiled, expression.encode(), REG_EXTENDED | REG_NOSUB):
            raise ValueError(expression)

    def matches(self, subject):
        return LIBC.regexec(self.compiled, subject, 0, None, 0) == 0


def read_rules(draw):
    """As the customers have written them."""
    rules = []
    for number in range(12):
        words = "|".join(f"{draw.choice(FOLDERS)} {draw.randrange(900)}" for _ in range(4))
        rules.append((f"^(re: |fwd: )*({words}) [a-z]+ {number}$", draw.choice(FOLDERS)))
    return rules


def folder_of(filters, subject):
    return next((each.folder for each in filters if each.matches(subject)), "inbox")


def main():
    draw = random.Random(seed())
    filters = [Filter(*rule) for rule in read_rules(draw)]
    sorted_in = 0
    changes = draw.randint(60, 140)
    for number in arrivals(40):
        subject = f"re: {draw.choice(FOLDERS)} {draw.randrange(900)} order {number}".encode()
        sorted_in += folder_of(filters, subject) != "inbox"
        if number >= changes:
            filters = [Filter(*rule) for rule in read_rules(draw)]
            changes = number + draw.randint(60, 140)


if __name__ == "__main__":
    main()
