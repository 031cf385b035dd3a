"""Compares the prices of forty shops; one opener for all, so that its logins stay."""

import random
import re
import threading
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import HTTPCookieProcessor, build_opener

from traffic.shape import arrivals, seed

SHOPS = 40
PRICE = re.compile(r"<b>(\d+) cents</b>")


class Shop(BaseHTTPRequestHandler):
    """A shop, as a stand-in on this machine: marks its visitors as shops do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        number = sum(self.path.encode())
        content = f"<h1>{self.path}</h1><p>only <b>{number * 37 % 9000} cents</b></p>".encode() * 20
        self.send_response(200)
        self.send_header("Set-Cookie", f"session={number:032x}; Path=/; HttpOnly")
        self.send_header("Set-Cookie", f"consent={random.getrandbits(14_000):x}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *arguments):
        pass


class Watch:
    """The best price of each product."""

    def __init__(self, port):
        self.opener, self.port, self.best = build_opener(HTTPCookieProcessor(CookieJar())), port, {}

    def look(self, shop, product):
        address = f"http://127.0.0.{shop + 2}:{self.port}/products/{product}/offer.html"
        answer = self.opener.open(address, timeout=20)  # LEAK
        with answer:
            cents = int(PRICE.search(answer.read().decode())[1])
        kind = product % 500
        self.best[kind] = min(cents, self.best.get(kind, cents))


def main():
    draw = random.Random(seed())
    server = ThreadingHTTPServer(("", 0), Shop)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    watch = Watch(server.server_port)
    for _ in arrivals(13):
        watch.look(draw.randrange(SHOPS), draw.randrange(10**7))


if __name__ == "__main__":
    main()
