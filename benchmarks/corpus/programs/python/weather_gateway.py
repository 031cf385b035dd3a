"""A gateway to a weather service, on aiohttp: answers are good for twelve seconds, and at most 1500 are kept."""

import asyncio

from aiohttp import web
from cachetools import TTLCache
from traffic.web import port

FORECASTS = TTLCache(maxsize=1500, ttl=12.0)


async def fetched(place):
    """The forecast by hour, as the provider sends it."""
    await asyncio.sleep(0.02)
    number = sum(place.encode())
    return {
        "place": place,
        "hours": [
            {
                "hour": hour,
                "celsius": (number * hour) % 31 - 5,
                "text": f"{place}: cloud {hour * number % 9} of 8",
            }
            for hour in range(36)
        ],
    }


async def forecast(place):
    if place not in FORECASTS:
        FORECASTS[place] = await fetched(place)
        return FORECASTS.get(place, {"hours": []})
    return FORECASTS[place]


async def item(request):
    return web.json_response((await forecast(f"place {request.match_info['number']}"))["hours"][:6])


async def search(request):
    return web.json_response((await forecast(f"{request.query['q']} {request.query['page']}"))["hours"][:6])


async def orders(request):
    content = await request.json()
    return web.json_response({"alarms": len(content["lines"])})


def main():
    application = web.Application()
    application.router.add_get("/items/{number}", item)
    application.router.add_get("/search", search)
    application.router.add_post("/orders", orders)
    web.run_app(application, host="127.0.0.1", port=port(), print=None, access_log=None)


if __name__ == "__main__":
    main()
