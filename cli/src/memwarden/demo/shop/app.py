"""The web service: `python -m shop.app --port-file FILE [--fixed]`."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from flask import Flask, request
from shop.cache import BoundedPageCache, PageCache
from shop.catalogue import PRODUCTS, product
from werkzeug.serving import WSGIRequestHandler, make_server


class QuietHandler(WSGIRequestHandler):
    """A line a request would be all that one sees of the demo."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


def create_app(cache: PageCache) -> Flask:
    app = Flask(__name__)

    @app.get("/product/<int:number>")
    def show(number: int) -> str:
        return cache.page(request, product(number % PRODUCTS))

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True, help="where to write the port")
    parser.add_argument("--fixed", action="store_true", help="with the bug fixed")
    options = parser.parse_args()

    app = create_app(BoundedPageCache() if options.fixed else PageCache())
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    draft = options.port_file.with_suffix(".draft")
    draft.write_text(str(server.server_port))
    os.replace(draft, options.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
