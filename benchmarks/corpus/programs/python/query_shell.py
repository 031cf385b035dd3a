"""A shell for questions about meters, fed by a script; each result has a number, by which it may be used again."""

import cmd
import io
import random

from traffic.shape import arrivals, seed


class Script:
    """Lines that a user's script writes into the shell."""

    def __init__(self):
        self.draw, self.moments, self.asked = random.Random(seed()), arrivals(14), 0

    def readline(self):
        next(self.moments)
        self.asked += 1
        if self.asked % 5 == 0:
            return f"mean {self.draw.randint(1, self.asked)}\n"
        return f"rows {self.draw.randrange(4000)} {self.draw.randint(20, 120)}\n"


class Shell(cmd.Cmd):
    """One command a line; `rows` looks something up, `mean` uses a result that was seen."""

    prompt, use_rawinput = "> ", False

    def __init__(self, script, screen):
        super().__init__(stdin=script, stdout=screen)
        self.numbered, self.screen = {}, screen

    def do_rows(self, line):
        meter, count = map(int, line.split())
        number = len(self.numbered) + 1
        self.numbered[number] = rows(meter, count)
        self.show(number, f"{count} rows")

    def do_mean(self, line):
        found = self.numbered.get(int(line), [{"kwh": 0.0}])
        self.show(int(line), f"{sum(row['kwh'] for row in found) / len(found):.2f}")

    def show(self, number, text):
        self.screen.write(f"[{number}] {text}\n")
        if self.screen.tell() > 20_000:
            self.screen.seek(0)
            self.screen.truncate()


def rows(meter, count):
    return [
        {"meter": meter, "hour": hour, "kwh": (meter * hour) % 97 / 9, "note": f"meter {meter}, hour {hour}"}
        for hour in range(count)
    ]  # LEAK


if __name__ == "__main__":
    Shell(Script(), io.StringIO()).cmdloop("questions about meters")
