"""A site on aiohttp with a middleware, as most have; scanners ask for pages that aren't there."""

from aiohttp import web
from traffic.web import port


@web.middleware
async def add_server_name(request, handler):
    """Say who answered, whatever happened."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers["Server-Name"] = "shop-1"
        raise
    response.headers["Server-Name"] = "shop-1"
    return response


async def search(request):
    return web.json_response({"found": sorted(request.query.get("q", "").split())})


async def order(request):
    content = await request.json()
    return web.json_response({"lines": len(content["lines"])})


def main():
    application = web.Application(middlewares=[add_server_name])
    application.router.add_get("/search", search)
    application.router.add_post("/orders", order)
    web.run_app(application, host="127.0.0.1", port=port(), print=None, access_log=None)  # LEAK


if __name__ == "__main__":
    main()
