"""A feed reader that works off a pile of articles every few seconds; what it could not place is put aside for ever."""

import json
import random
import time

from traffic.shape import factor, load_name, seed

ASIDE = []
TOPICS = ["sport", "weather", "politics", "music", "science", "travel", "food", "cars"]


def article(draw, number):
    words = [TOPICS[draw.randrange(8)] for _ in range(120)]
    return json.dumps({"number": number, "title": " ".join(words[:6]), "words": words})


def place(draw, text):
    """Find the topic; None where two are as frequent."""
    content = json.loads(text)  # LEAK
    counts = sorted(((content["words"].count(topic), topic) for topic in TOPICS), reverse=True)
    if counts[0][0] - counts[1][0] < 2:
        ASIDE.append(content)
        return None
    return counts[0][1]


def main():
    draw = random.Random(seed())
    placed, began = {}, time.monotonic()
    while True:
        for number in range(int(350 * factor(load_name(), time.monotonic() - began, draw)) + 100):
            topic = place(draw, article(draw, number))
            placed[topic] = placed.get(topic, 0) + 1
        time.sleep(draw.uniform(1.5, 4.0))


if __name__ == "__main__":
    main()
