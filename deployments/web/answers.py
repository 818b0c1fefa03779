"""Makes the answers of an app complete: HEAD wherever GET is, and JSON for an error that nobody expected."""

import logging

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class HeadLikeGet:
    """Answers HEAD as GET without the body. Load balancers and uptime checks ask with HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer a GET, and drop the body."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, without_body)


class UnexpectedErrors:
    """Answers 500 as JSON without a traceback, logs the error once, and keeps the connection.

    Where an error leaves the app, uvicorn closes the connection without saying so in the response, and the next request
    of the client is reset.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; answer in its place where it fails before its response has begun."""
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:  # any error of any route; it is logged whole
            if started or scope["type"] != "http":
                raise
            logger.exception("%s %s failed", scope["method"], scope["path"])
            detail = f"the service failed on this request ({type(error).__name__}); its log has the details"
            await JSONResponse({"detail": detail}, 500)(scope, receive, send)
