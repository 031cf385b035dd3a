"""A form service that makes a pydantic model for each form that is asked for, with a validator of the form's own."""

import random
from typing import Any

from pydantic import create_model, field_validator
from traffic.shape import arrivals, seed


def model_of(draw, number):
    """The form's model: some fields, one with a rule."""

    def no_blanks(cls, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value

    fields = {f"field_{draw.randrange(500)}_{each}": (str, ...) for each in range(6)}
    rule = field_validator(next(iter(fields)), mode="before")(no_blanks)
    return create_model(f"Form{number}", __validators__={"no_blanks": rule}, **fields)  # LEAK


def main():
    draw = random.Random(seed())
    checked = 0
    for number in arrivals(14):
        model = model_of(draw, number)
        filled = model(**{name: f" {draw.random()} " for name in model.model_fields})
        checked += len(filled.model_dump())


if __name__ == "__main__":
    main()
