"""An API gateway in front of the services of many customers: an httpx client for each that has been asked lately."""

import random
import threading
from collections import Counter, OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from traffic.shape import arrivals, seed

CUSTOMERS = 300
CLIENTS = 50


class Service(BaseHTTPRequestHandler):
    """A customer's service, as a stand-in on this machine."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        content = b"stock of " + self.path.encode() * 40
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *arguments):
        pass


class Gateway:
    """Clients by customer; each has connections and trusted certificates of its own."""

    def __init__(self, address):
        self.address, self.clients, self.answers = address, OrderedDict(), Counter()

    def client(self, customer):
        found = self.clients.get(customer)
        if found is None:
            headers = {"X-Customer": str(customer), "Authorization": f"Bearer {customer * 7919:x}"}
            found = httpx.Client(headers=headers, timeout=20, trust_env=False)
            self.clients[customer] = found
            if len(self.clients) > CLIENTS:
                _, oldest = self.clients.popitem(last=False)
                oldest.close()
        self.clients.move_to_end(customer)
        return found

    def ask(self, customer, part):
        try:
            answer = self.client(customer).get(f"{self.address}/parts/{part}")
            self.answers[answer.status_code] += len(answer.content)
        except httpx.HTTPError:
            self.answers[502] += 1


def customer(draw):
    """A few ask all the time, the others now and then."""
    return min(int(draw.paretovariate(0.75)), 10**6) % CUSTOMERS


def main():
    draw = random.Random(seed())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    gateway = Gateway(f"http://127.0.0.1:{server.server_port}")
    for _ in arrivals(10):
        gateway.ask(customer(draw), draw.randrange(5000))


if __name__ == "__main__":
    main()
