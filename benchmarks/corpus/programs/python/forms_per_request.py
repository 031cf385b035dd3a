"""A form service that builds a class for each form it shows, and registers it so that the answer finds it again."""

from traffic.web import serve

FORMS = {}


class Form:
    """A form's fields are what its class has."""

    fields = ()

    def validate(self, values):
        return [name for name in self.fields if not values.get(name)]


def build(request, number):
    """A form for this visitor, with a field per article."""
    fields = tuple(f"article_{number}_{each}" for each in range(30))
    checks = {
        f"check_{name}": (lambda self, value, name=name: (name, bool(value))) for name in fields
    }  # LEAK
    return type(f"Form{number}", (Form,), {"fields": fields, **checks})  # LEAK


def show(request):
    number = len(FORMS)
    FORMS[number] = form = build(request, number)
    return {"form": number, "missing": form().validate({})[:3]}


def handle(request):
    if request.path.startswith("/items/") or request.path == "/orders":
        return show(request)
    return {"found": []} if request.path == "/search" else None


if __name__ == "__main__":
    serve(handle)
