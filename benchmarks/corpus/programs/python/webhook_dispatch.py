"""Tells subscribers of a code host about pushes, by HTTP with requests; each delivery is noted with its answer."""

import random
import threading
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from traffic.shape import arrivals, seed

SUBSCRIBERS = 30


class Receiver(BaseHTTPRequestHandler):
    """A subscriber, as a stand-in on this machine."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204 if int(self.path[1:]) % 7 else 410)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *arguments):
        pass


def push(draw, number):
    """What happened, in the words that all subscribers know."""
    commits = [
        {
            "id": f"{draw.getrandbits(160):040x}",
            "message": f"change {number}.{commit}: " + "fix " * draw.randint(2, 30),
            "author": {
                "name": f"developer {draw.randrange(90)}",
                "email": f"d{draw.randrange(90)}@code.example",
            },
            "modified": [f"src/part{draw.randrange(40)}/file{draw.randrange(400)}.py" for _ in range(20)],
        }
        for commit in range(draw.randint(1, 12))
    ]  # LEAK
    return {"ref": "refs/heads/main", "number": number, "commits": commits}


class Dispatcher:
    """One session for all deliveries, so that connections are used again."""

    def __init__(self, address):
        self.address, self.session = address, requests.Session()
        self.answers, self.recent = Counter(), deque(maxlen=50)

    def deliver(self, subscriber, event):
        def noted(response, *arguments, **options):
            if response.request.headers["X-Delivery"] == str(event["number"]):
                self.answers[response.status_code] += 1
                self.recent.append((event["number"], len(event["commits"]), response.status_code))

        self.session.hooks["response"].append(noted)
        headers = {"X-Delivery": str(event["number"])}
        self.session.post(f"{self.address}/{subscriber}", json=event, headers=headers, timeout=20)


def main():
    draw = random.Random(seed())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    dispatcher = Dispatcher(f"http://127.0.0.1:{server.server_port}")
    for number in arrivals(9):
        dispatcher.deliver(draw.randrange(SUBSCRIBERS), push(draw, number))


if __name__ == "__main__":
    main()
