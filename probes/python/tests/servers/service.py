"""A small web service in two dialects, WSGI (`application`) and ASGI (`asgi`), with a leak in one handler."""

import json
import os
import threading

KEPT = []


def prepared():
    """What is loaded with the program: by each worker, or once, before the workers are forked."""
    kept = []
    for _ in range(200):  # no comprehension: before 3.12 it is a function of its own
        kept.append(bytes(20000))
    return kept


PREPARED = prepared()


def leak():
    KEPT.append(bytes(20000))  # the leak
    return {"kept": True}


def work(number):
    rows = [{"number": n, "text": str(n) * 10} for n in range(number, number + 200)]
    return json.loads(json.dumps({"rows": rows, "sum": sum(row["number"] for row in rows)}))


def who():
    tasks = []
    for task in os.listdir("/proc/self/task"):
        with open("/proc/self/task/%s/comm" % task) as file:
            tasks.append(file.read().strip())
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "leaked": len(KEPT),
        "threads": len(threading.enumerate()),
        "tasks": len(tasks),
        "ours": [task for task in tasks if "memwarden" in task],
    }


def answer(path):
    _, name, *rest = path.split("/")
    body = {"leak": leak, "who": who, "work": lambda: work(int(rest[0]))}[name]()
    return json.dumps(body, sort_keys=True).encode()


def application(environ, start_response):
    body = answer(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = answer(scope["path"])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
