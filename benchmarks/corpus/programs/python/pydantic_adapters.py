"""An API that makes a pydantic TypeAdapter for each answer, of models that refer to themselves."""

import random
from typing import List

from pydantic import BaseModel, TypeAdapter
from traffic.shape import arrivals, seed


class Author(BaseModel):
    name: str = "anonymous"


class Comment(BaseModel):
    """A comment with its replies."""

    text: str
    author: Author
    replies: List["Comment"] = []


def thread(draw, depth):
    replies = [thread(draw, depth - 1) for _ in range(draw.randint(0, 2))] if depth else []
    return {"text": f"comment {draw.random()}", "author": Author(), "replies": replies}


def answer(draw):
    """A page of comments, checked."""
    adapter = TypeAdapter(List[Comment])
    comments = adapter.validate_python([thread(draw, 2) for _ in range(8)])
    return sum(len(comment.replies) for comment in comments)


def main():
    draw = random.Random(seed())
    answered = 0
    for _ in arrivals(70):
        answered += answer(draw)


if __name__ == "__main__":
    main()
