"""Books for sixteen tenants at their own accounting services, by httpx; tokens are renewed now and then."""

import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from traffic.shape import arrivals, seed

TENANTS = 16
TOKEN_SECONDS = 60.0


class Accounting(BaseHTTPRequestHandler):
    """The other side, as a stand-in on this machine."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        content = b'{"booked": true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *arguments):
        pass


class Tokens:
    """A token per tenant, each as long as it is good."""

    def __init__(self, draw):
        self.draw = draw
        self.known = {
            number: (f"{number}-first", draw.uniform(0, TOKEN_SECONDS)) for number in range(TENANTS)
        }
        self.began = time.monotonic()

    def of(self, tenant):
        token, until = self.known[tenant]
        if time.monotonic() - self.began > until:
            token, until = f"{tenant}-{self.draw.getrandbits(128):x}", until + TOKEN_SECONDS
            self.known[tenant] = token, until
        return token


class Clients:
    """A client per tenant and token, so that its connections are used again."""

    def __init__(self, address, tokens):
        self.address, self.tokens, self.clients = address, tokens, {}

    def of(self, tenant):
        token = self.tokens.of(tenant)
        if (tenant, token) not in self.clients:
            headers = {"Authorization": f"Bearer {token}"}
            self.clients[tenant, token] = httpx.Client(base_url=self.address, headers=headers)
        return self.clients[tenant, token]


def main():
    draw = random.Random(seed())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Accounting)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    clients = Clients(f"http://127.0.0.1:{server.server_port}", Tokens(draw))
    for number in arrivals(12):
        client = clients.of(draw.randrange(TENANTS))
        client.post("/bookings", json={"number": number, "cents": draw.randrange(10**6)}).raise_for_status()


if __name__ == "__main__":
    main()
