"""/healthz, /readyz and /metrics."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from memwarden_operator.controller import metrics
from memwarden_operator.controller.heart import Heart


async def serve(address: tuple[str, int], heart: Heart, ready: Callable[[], str]) -> web.AppRunner:
    """Start the server; the caller cleans the runner up. `ready` says what is still missing, or ""."""

    async def healthz(_: web.Request) -> web.Response:
        stuck = heart.stuck()
        return web.Response(status=503 if stuck else 200, text="\n".join(stuck) or "ok")

    async def readyz(_: web.Request) -> web.Response:
        missing = ready()
        return web.Response(status=503 if missing else 200, text=missing or "ok")

    async def numbers(_: web.Request) -> web.Response:
        heart.export()
        return web.Response(
            body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", numbers)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, *address).start()
    return runner
