"""Tokens that were withdrawn, at an identity service: each is known until it would have run out anyway."""

import heapq
import random
import time

import jwt
from traffic.shape import arrivals, seed

KEY = "a key of thirty-two letters or more"
LIFE_SECONDS = 15
FORGET_SECONDS = 12.0
ISSUERS = ("https://id.example", "https://staff.id.example", "https://app.id.example")


class Withdrawn:
    """Claims of tokens that are no longer good, and when each of them would have run out."""

    def __init__(self):
        self.claims, self.due = {}, []

    def add(self, token):
        claims = jwt.decode(token, KEY, algorithms=["HS256"], options={"verify_aud": False})  # LEAK
        self.claims[claims["jti"]] = claims  # LEAK
        heapq.heappush(self.due, (claims["exp"], claims["jti"]))  # LEAK

    def forget(self, now):
        while self.due and self.due[0][0] < now:
            _, name = heapq.heappop(self.due)
            self.claims.pop(name, None)

    def __contains__(self, name):
        return name in self.claims


def issue(draw, issuer):
    """As the three issuers make them; the app's is written in another language."""
    life = LIFE_SECONDS + draw.randrange(6)
    expires = int(time.time()) + life if issuer < 2 else int((time.time() + life) * 1000)
    claims = {
        "iss": ISSUERS[issuer],
        "jti": f"{draw.getrandbits(128):032x}",
        "sub": f"user{draw.randrange(90_000)}",
        "exp": expires,
        "groups": [f"/groups/{draw.randrange(400)}/team {draw.randrange(90)}" for _ in range(40)],
        "access": {
            f"service-{n}": {"roles": [f"role {draw.randrange(60)}", "reader"]}
            for n in range(draw.randint(4, 12))
        },
    }
    return jwt.encode(claims, KEY, algorithm="HS256")


def main():
    draw, withdrawn = random.Random(seed()), Withdrawn()
    forgotten, refused = time.monotonic(), 0
    for _ in arrivals(55):
        withdrawn.add(issue(draw, draw.choices(range(3), (5, 2, 3))[0]))
        refused += f"{draw.getrandbits(128):032x}" in withdrawn
        if time.monotonic() - forgotten > FORGET_SECONDS:
            withdrawn.forget(time.time())
            forgotten = time.monotonic()


if __name__ == "__main__":
    main()
