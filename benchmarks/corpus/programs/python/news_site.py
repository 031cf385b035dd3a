"""A news site on Django: pages come from its cache in memory, which has room for five hundred entries."""

import logging
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.cache import cache_page
from traffic.web import port

PAGE_SECONDS = 45
CACHE = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "OPTIONS": {"MAX_ENTRIES": 500, "CULL_FREQUENCY": 4},
}
settings.configure(
    SECRET_KEY="none",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    CACHES={"default": CACHE},
    LOGGING_CONFIG=None,
)
django.setup()


def page(title, paragraphs):
    rows = (
        f"<p id='p{row}'>{title}: what is known of part {row * len(title) % 97}</p>"
        for row in range(paragraphs)
    )
    return f"<html><head><title>{title}</title></head><body>{''.join(rows)}</body></html>"


@cache_page(PAGE_SECONDS)
def article(request, number):
    return HttpResponse(page(f"article {number}", 500 + number % 600))


@cache_page(PAGE_SECONDS)
def search(request):
    return HttpResponse(page(f"found {request.GET['q']}, page {request.GET['page']}", 400))


def comment(request):
    return JsonResponse({"bytes": len(request.body)})


urlpatterns = [path("items/<int:number>", article), path("search", search), path("orders", comment)]


class Server(ThreadingMixIn, WSGIServer):
    """A thread per connection."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_message(self, format, *arguments):
        pass


if __name__ == "__main__":
    logging.getLogger("django.request").setLevel(logging.ERROR)
    make_server("127.0.0.1", port(), get_wsgi_application(), Server, Quiet).serve_forever()
