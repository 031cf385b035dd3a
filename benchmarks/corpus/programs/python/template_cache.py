"""A mailer that compiles templates and patterns when they are first used; there are six hundred of them."""

import re
import string

from traffic.web import serve

TEMPLATES, PATTERNS = {}, {}
COUNT = 600


def template(number):
    """A letter's template with its places."""
    if number not in TEMPLATES:
        text = "\n".join(
            f"Dear $name, line {line} of letter {number}: $article and $price" for line in range(120)
        )
        TEMPLATES[number] = string.Template(text)
    return TEMPLATES[number]


def pattern(number):
    """What the letter's answers are recognised by."""
    if number not in PATTERNS:
        words = "|".join(f"answer{number}x{each}[a-z]*" for each in range(40))
        PATTERNS[number] = re.compile(f"^(re|aw|fwd)?:?\\s*({words})\\b.*(yes|no|maybe)", re.IGNORECASE)
    return PATTERNS[number]


def handle(request):
    if request.path.startswith("/items/"):
        number = int(request.path.rsplit("/", 1)[-1]) * 31 % COUNT
        letter = template(number).substitute(name=request.session, article=number, price="9.90")
        return {"length": len(letter), "matches": bool(pattern(number).match(f"Re: answer{number}x3 yes"))}
    return {"templates": len(TEMPLATES)} if request.path == "/orders" else None


if __name__ == "__main__":
    serve(handle)
