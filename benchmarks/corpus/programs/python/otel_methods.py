"""A WSGI service with OpenTelemetry's instrumentation and metrics; a client sends methods that nobody has heard of."""

import json
import random
from wsgiref.util import setup_testing_defaults

from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from traffic.shape import arrivals, seed


def application(environ, start_response):
    """Answer with the path's parts."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(environ["PATH_INFO"].split("/")).encode()]


def request(draw):
    """A request; scanners try methods of their own."""
    environ = {"PATH_INFO": f"/items/{draw.randrange(5000)}", "REQUEST_METHOD": draw.choice(["GET", "POST"])}
    if draw.random() < 0.7:
        environ["REQUEST_METHOD"] = "".join(draw.choice("ABCDEFGHIJKLMNOP") for _ in range(9))
    setup_testing_defaults(environ)
    return environ


def answer(service, environ):
    """Call the service as a server would."""
    return b"".join(service(environ, lambda status, headers, error=None: None))  # LEAK


def main():
    draw = random.Random(seed())
    provider = MeterProvider(metric_readers=[InMemoryMetricReader()])
    service = OpenTelemetryMiddleware(application, meter_provider=provider)
    length = 0
    for _ in arrivals(110):
        length += len(answer(service, request(draw)))


if __name__ == "__main__":
    main()
