"""Portals of sports clubs, on Django: each club shows the pages that it has booked, under addresses of its own."""

import logging
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path, reverse
from traffic.web import port

CLUBS = 250
EXTRAS = "calendar results gallery shop members sponsors news archive teams training".split()
settings.configure(
    SECRET_KEY="none",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[f"{__name__}.portal"],
    LOGGING_CONFIG=None,
)


def item(request, number):
    booked = [reverse(extra, urlconf=request.urlconf) for extra in request.club["extras"]]
    return JsonResponse({"club": request.club["number"], "item": number, "links": booked})


def page(request):
    return JsonResponse({"club": request.club["number"], "page": request.path, "bytes": len(request.body)})


def club_of(session):
    """What a club has booked, as its row in the database says."""
    number = int(session or "0", 16) % CLUBS
    return {"number": number, "extras": EXTRAS[number % 4 :: 1 + number % 2]}


def addresses(club):
    """The pages of a club."""
    pages = [("items/<int:number>", item), ("search", page), ("orders", page)]
    pages += [(f"{extra}/", page) for extra in club["extras"]]
    return tuple(path(each, view, name=each.split("/")[0]) for each, view in pages)  # LEAK


def portal(get_response):
    """Middleware: whose portal a request is for."""

    def middleware(request):
        request.club = club_of(request.headers.get("X-Session"))
        request.urlconf = addresses(request.club)
        return get_response(request)  # LEAK

    return middleware


urlpatterns = addresses({"extras": ()})


class Server(ThreadingMixIn, WSGIServer):
    """A thread per connection."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_message(self, format, *arguments):
        pass


if __name__ == "__main__":
    django.setup()
    logging.getLogger("django.request").setLevel(logging.ERROR)
    make_server("127.0.0.1", port(), get_wsgi_application(), Server, Quiet).serve_forever()
