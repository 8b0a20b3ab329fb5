"""A bare aiohttp server that answers JSON: what HTTP alone costs on this machine.

Lives here: one route. Must not live here: anything of ours.
"""

import asyncio
import json
import sys

from aiohttp import web


async def _echo(request: web.Request) -> web.Response:
    return web.json_response({"ok": True, "got": len(await request.read())})


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/echo", _echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(json.dumps({"ready": "echo", "base_url": f"http://127.0.0.1:{port}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.platform == "win32":
        asyncio.run(_serve())
    else:
        import uvloop

        uvloop.run(_serve())
