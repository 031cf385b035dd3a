"""An app that drains in good order, as a Deployment's pods behind a Service, and somebody who asks it all the time."""

import http.client
import json
import threading
import time
from typing import TYPE_CHECKING

from cluster.testing.waiting import eventually

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

PAUSE = 0.05
DRAINS_FOR = 15
"""Seconds that it goes on answering after SIGTERM: until then the Service has left it out, also on a busy machine."""
PROGRAM = f"""
import signal, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    request_queue_size = 128

server = Server(("", 8000), Page)

def drain(*_):
    threading.Timer({DRAINS_FOR}, server.shutdown).start()

signal.signal(signal.SIGTERM, drain)
server.serve_forever()
"""
CONTAINER = f"""command: {json.dumps(["python3", "-c", PROGRAM])},
        readinessProbe: {{httpGet: {{path: /, port: 8000}}, periodSeconds: 1}}"""
"""Its container's fields but name and image, within the braces of a YAML object."""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
"""


class Asking:
    """With `with`: asks the Service again and again, from its first answer on. `failed` has what was no 200."""

    def __init__(self, namespace: "Namespace") -> None:
        namespace.apply(SERVICE)
        self._address = namespace.read("Service", "web")["spec"]["clusterIP"]
        self.answered = 0
        self.failed: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Asking":
        # Until the node knows the Service, a connection to it leads nowhere, and hangs for as long as it may.
        eventually("the Service to answer", lambda: self._once(2) == "")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(PAUSE):
            wrong = self._once(60)
            if wrong:
                self.failed.append(f"{time.strftime('%X')} {wrong}")
            else:
                self.answered += 1

    def _once(self, seconds: float) -> str:
        """What went wrong, or ""."""
        connection = http.client.HTTPConnection(self._address, 80, timeout=seconds)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        finally:
            connection.close()
        return "" if status == 200 else f"HTTP {status}"
