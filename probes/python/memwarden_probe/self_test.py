"""Is what the hook reads at its offsets what the interpreter itself says? Compared before the hook is
installed.

Each shape calls ``look``, which walks the stack natively (every address through a pipe, so that a wrong
offset cannot crash) and by ``sys._getframe``, in one expression so that both see the same lines.
"""

import sys

_getframe = sys._getframe


# The first shape is compared down to the bottom of the stack; for the others their own part is enough.
WHOLE, TOP = 64, 4


def expected(frame, limit):
    places = []
    while frame is not None and len(places) < limit:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        places.append((code.co_filename, name, frame.f_lineno or code.co_firstlineno, code.co_firstlineno))
        frame = frame.f_back
    return places


def named(look):
    look("another name")


def find_mismatch(walk):
    """Return an empty string, or which shape was read wrongly."""
    wrong = []

    def look(shape, limit=TOP):
        found, truth = walk(limit), expected(_getframe(), limit)
        if found != truth:
            wrong.append(shape)

    def nested():
        def inner():
            look("nested", WHOLE)

        inner()

    def multi_line():
        (look("multi-line call"))

    def generator():
        yield look("generator")

    class Body:
        look("class body")

        @property
        def value(self):
            return look("property")

    class Made:
        def __init__(self, is_last):
            if is_last:
                look("class call")

    nested()
    multi_line()
    for turn in range(40):  # from 3.12 on, the call becomes a specialised one, with a trampoline below
        Made(turn == 39)
    list(generator())
    (lambda: look("lambda"))()
    [look("comprehension") for _ in (1,)]
    Body().value
    max((1, 2), key=lambda number: look("callback from C") or number)
    # Made by hand: compiling such names would import unicodedata.
    for name in ("stra\xdfe", "\u0437\u0430\u043f\u0438\u0441\u044c", "\U00020000"):
        code = named.__code__
        names = {field: name for field in ("co_name", "co_qualname") if hasattr(code, field)}
        code = code.replace(co_filename="<memwarden %s>" % name, co_firstlineno=301, **names)
        type(named)(code, {})(look)
    return wrong[0] if wrong else ""
