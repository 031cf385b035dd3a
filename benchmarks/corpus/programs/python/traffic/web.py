"""A small HTTP service: one handler for all requests, answers as JSON, a thread per connection."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Request:
    """One request as a handler sees it."""

    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method = method
        self.path = parts.path
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.session = headers.get("X-Session", "")
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body or b"{}")


def port():
    return int(os.environ.get("PORT", "8080"))


def serve(handler):
    """Answer requests with what `handler(request)` returns, for ever. None is a 404, an exception a 500."""

    class Connection(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(self.command, self.path, self.headers, self.rfile.read(length))
            try:
                result = handler(request)
                status = 404 if result is None else 200
            except Exception as error:
                result, status = {"error": str(error)[:80]}, 500
            content = json.dumps(result, default=str).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, format, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port()), Connection)
    server.daemon_threads = True
    server.serve_forever()
