"""Cancels the work on a request whose client has closed its connection: nobody would read the answer."""

import asyncio
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def run_while_there(app: ASGIApp, scope: Scope, body: deque[bytearray], receive: Receive, send: Send) -> None:
    """Run `app` on a request whose `body` was read; cancel the app as soon as `receive` tells that the client left.

    The app takes the parts of `body` away, so that a large one is not kept twice. Returns without a response where the
    client left. An app that works in a thread ends that work first.
    """
    answered = False

    async def sending(message: Message) -> None:
        nonlocal answered
        # A server reports "disconnect" after the last part of the response too: that one must cancel nothing.
        answered = answered or (message["type"] == "http.response.body" and not message.get("more_body", False))
        await send(message)

    watching = asyncio.create_task(_departure(receive))

    async def receiving() -> Message:
        if body:
            return {"type": "http.request", "body": bytes(body.popleft()), "more_body": bool(body)}
        await asyncio.wait({watching})
        return {"type": "http.disconnect"}

    working = asyncio.ensure_future(app(scope, receiving, sending))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        left = watching.done() and not working.done() and not answered
        if left:
            working.cancel()
        await asyncio.wait({working})
    finally:  # also where the server cancels this request, e.g. at the end of the process
        watching.cancel()
        working.cancel()
    if not (left and working.cancelled()):
        await working


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
