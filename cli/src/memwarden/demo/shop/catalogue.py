"""What the shop sells: made from the product's number, always the same."""

from random import Random

PRODUCTS = 1000
_WORDS = (
    "oak",
    "brass",
    "linen",
    "folding",
    "garden",
    "lamp",
    "table",
    "hook",
    "basket",
    "enamel",
    "cord",
    "vase",
)


def product(number: int) -> dict[str, object]:
    """Return product `number` with its reviews (about 20 kB of text once it is rendered)."""
    random = Random(number)  # noqa: S311 - a catalogue, not a secret
    name = " ".join(random.choice(_WORDS) for _ in range(3)).capitalize()
    reviews = [
        {
            "stars": random.randint(1, 5),
            "text": " ".join(random.choice(_WORDS) for _ in range(60)),
        }
        for _ in range(48)
    ]
    return {"id": number, "name": name, "price": random.randint(300, 30_000) / 100, "reviews": reviews}
