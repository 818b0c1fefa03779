"""Runs an app behind uvicorn with the bounds that all our web processes share."""

from collections.abc import Mapping
from typing import Any

import uvicorn
from fastapi import FastAPI

from deployments.web.answers import HeadLikeGet, UnexpectedErrors
from deployments.web.bodies import BoundedBodies, Limit, Patience
from deployments.web.protocol import Bounds, bounded

KEEP_ALIVE = 80
"""Seconds that an idle connection stays open. Longer than a proxy's (nginx 75, AWS 60): the side that closes first must
be the client's, or a request that is under way at that moment is lost."""


def guard(app: FastAPI, limits: Mapping[str, Limit], patience: Patience | None = None) -> None:
    """Add to an app: bounded bodies, work that ends when its client leaves, HEAD, and JSON for unexpected errors.

    `limits` are the bodies that are larger than usual, by path. Call `guard` before adding a middleware that counts.
    """
    # The middleware that is added last is the first to see a request.
    app.add_middleware(BoundedBodies, limits=limits, patience=patience)
    app.add_middleware(HeadLikeGet)
    app.add_middleware(UnexpectedErrors)


def options(bounds: Bounds | None = None) -> dict[str, Any]:
    """The arguments of uvicorn that bound connections and time."""
    return {
        "http": bounded(bounds or Bounds()),
        "ws": "none",
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": 3,
        "access_log": False,
    }


def run(app: FastAPI, host: str, port: int) -> None:
    """Serve until told to stop."""
    uvicorn.run(app, host=host, port=port, **options())
