"""An API server that knows how to review tokens and rights, over HTTPS. It stands for Kubernetes."""

import base64
import json
import ssl
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

AUDIENCE = "memwarden-collector"
OWN_TOKEN = "the-collector-itself"


def token(name: str, audience: str = AUDIENCE, seconds: float = 3600) -> str:
    """Looks like a service account's."""
    claims = {"aud": [audience], "exp": round(time.time() + seconds), "sub": name}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)] + [b"signed"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def account(namespace: str, name: str, pod: str = "", uid: str = "") -> dict[str, Any]:
    """What a review says of a service account's token."""
    extra = {"authentication.kubernetes.io/pod-name": [pod], "authentication.kubernetes.io/pod-uid": [uid]}
    user = {
        "username": f"system:serviceaccount:{namespace}:{name}",
        "uid": "u1",
        "groups": ["system:authenticated"],
    }
    return {**user, "extra": extra} if pod else user


class ReviewServer:
    """`tokens` and `rights` are what it knows; `asked` counts reviews by kind."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.tokens: dict[str, dict[str, Any]] = {}
        self.rights: set[tuple[str, str, str, str]] = set()
        """User, verb, resource (with subresource), namespace."""
        self.asked: Counter[str] = Counter()
        self.away = False
        self.delay = 0.0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def review(self, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        self.asked[kind] += 1
        if kind == "tokenreviews":
            user = self.tokens.get(spec["token"])
            if user is None:
                return {"authenticated": False, "error": "unknown token"}
            return {"authenticated": True, "user": user, "audiences": spec["audiences"]}
        wanted = spec["resourceAttributes"]
        resource = "/".join(filter(None, (wanted["resource"], wanted.get("subresource", ""))))
        assert wanted["group"] == "memwarden.dev"
        places = {wanted.get("namespace", ""), ""}
        return {
            "allowed": any((spec["user"], wanted["verb"], resource, place) in self.rights for place in places)
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(server.delay)
                if server.away:
                    self.close_connection = True
                    return
                status, answer = 201, {}
                if self.headers["Authorization"] != f"Bearer {OWN_TOKEN}":
                    status, answer = 401, {"message": "who are you?"}
                else:
                    kind = self.path.rpartition("/")[2]
                    answer = {**body, "status": server.review(kind, body["spec"])}
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                return

        return Handler
