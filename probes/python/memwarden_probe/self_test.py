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


def seen(value):
    """What the hook says of an attribute's value."""
    if isinstance(value, (dict, list, set)):
        return len(value)
    return value if type(value) is int and 0 <= value < 2**60 else -1


def attributes_of(instance, slots=()):
    found = dict(getattr(instance, "__dict__", {}))
    found.update((name, getattr(instance, name)) for name in slots if hasattr(instance, name))
    return sorted((name, seen(value)) for name, value in found.items() if type(name) is str)


def find_attribute_mismatch(attributes):
    """Return an empty string, or which shape's attributes were read wrongly."""

    class Plain:
        def __init__(self):
            self.maxsize, self.b, self.c, self.d, self.e, self.f = 0, 1, 2**30 - 1, 2**30, 2**60 - 1, 2**60
            self.g, self.h, self._i, self._j, self.__k, self.l = 2**90, -1, -(2**40), True, None, 1.5
            self._kept = [1] * 5

    class Slim:
        def __init__(self):
            self.by_name = {1: 2, 3: 4}

    class Mapping(dict):
        pass

    class Slotted:
        __slots__ = ("capacity", "kept", "unset")

        def __init__(self):
            self.capacity = 100
            self.kept = {1, 2, 3}

    class Both(Slotted):
        pass

    slots = Slotted.__slots__
    with_dict, with_number, with_many, deleted = Plain(), Slim(), Slim(), Slim()
    vars(with_dict)["added"] = Mapping(a=1)  # from here on it has a dict
    vars(with_number)[5] = 6
    for number in range(31):  # more than instances share the keys of
        setattr(with_many, "n%d" % number, number)
    del deleted.by_name
    shapes = [("plain", Plain(), ()), ("with a dict", with_dict, ()), ("not only str", with_number, ())]
    shapes += [("with many", with_many, ()), ("deleted", deleted, ())]
    mapping = Mapping(b=2)
    mapping.max_len = 9
    shapes.append(("dict", mapping, ()))
    both = Both()
    both.limit = 11
    shapes += [("slots", Slotted(), slots), ("slots and dict", both, slots), ("empty", Mapping(), ())]
    for shape, instance, named in shapes:
        found = attributes(instance)
        if sorted(found) != attributes_of(instance, named):
            return shape
    return ""
