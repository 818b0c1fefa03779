"""Receives Label Studio's webhooks: each is sent once, waits some seconds for the response, and never comes again.

So a webhook is committed to the inbox, then acknowledged, and processed afterwards. A webhook of another project is
acknowledged too, and becomes an ignored row: only the label store knows which project is ours.
"""

import argparse
import hmac
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from anyio import CapacityLimiter, move_on_after, to_thread
from fastapi import FastAPI, HTTPException, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from deployments.receiver.inbox_worker import InboxWorker
from deployments.receiver.metrics import ReceiverMetrics
from deployments.web import server
from deployments.web.answers import HeadLikeGet
from labeling.studio.owned import SECRET_HEADER
from labeling.studio.project import WEBHOOK_PATH
from storage.errors import FinloopError
from storage.labels.inbox import Inbox
from storage.labels.spool import Spool

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from flows.wiring.parts import Parts

MAX_BODY = 32 * 1024 * 1024
"""Bytes. A webhook of one annotation has 4 kB, and one of many has 1.3 kB for each: this is room for 24,000. The next
`sync` reads what a larger one would have said."""

COMMIT_SECONDS = 0.7
"""How long a commit may take: Label Studio waits for one second, and the annotator waits with it."""

COMMITS = 8
"""Commits at once. A locked database holds each of them up for half a minute."""


def create_app(inbox: Inbox, spool: Spool, secret: str, process: Callable[[], None]) -> FastAPI:
    """The receiver; without a secret it refuses every webhook.

    `process` handles the waiting rows of the inbox. One thread calls it at the start and after every webhook, and calls
    it again after a pause where it fails. Before that, the thread moves the webhooks of the spool into the inbox.
    """

    def work_off() -> None:
        spool.move_into(inbox)
        process()

    worker = InboxWorker(work_off)
    commits = CapacityLimiter(COMMITS)
    metrics = ReceiverMetrics(inbox.counts, lambda: worker.failures)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        yield
        await run_in_threadpool(worker.stop)

    app = FastAPI(title="finloop receiver", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(HeadLikeGet)

    @app.post(WEBHOOK_PATH)
    async def webhook(request: Request) -> dict[str, int | None]:
        """Commit or put aside, then acknowledge: on a 200 the webhook survives any crash.

        `inbox` is the number of its row, None for a webhook that was put aside.
        """
        began = time.perf_counter()
        status = 500
        try:
            _authenticate(request, secret)
            payload = _object(await _body(request))
            row = await _commit(inbox, payload, commits)
            if row is None:
                await run_in_threadpool(_put_aside, spool, payload)
            worker.wake()
            status = 200
        except HTTPException as refusal:
            status = refusal.status_code
            metrics.refused[status] += 1
            raise
        finally:
            metrics.answered(status, time.perf_counter() - began)
        return {"inbox": row}

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        """Alive, whether the last work on the inbox went well, what waits in the spool, and the refused by status."""
        return {
            "status": "ok" if worker.failures == 0 else "retrying",
            "failures": worker.failures,
            "put_aside": spool.count(),
            "refused": {str(status): count for status, count in metrics.refused.items()},
        }

    @app.get("/metrics")
    def prometheus() -> Response:
        """For Prometheus: responses, their time, and the inbox by state."""
        return Response(metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


async def _commit(inbox: Inbox, payload: dict[str, Any], commits: CapacityLimiter) -> int | None:
    """The webhook's row, or None where the database did not take it in time.

    A commit that was too slow goes on in its thread. The webhook may then come twice, which changes no label.
    """
    put = partial(inbox.put, payload["action"], payload)
    try:
        with move_on_after(COMMIT_SECONDS):
            return await to_thread.run_sync(put, abandon_on_cancel=True, limiter=commits)
    except (FinloopError, SQLAlchemyError) as error:
        logger.warning("the label store did not take a webhook: %s", error)
    return None


def _put_aside(spool: Spool, payload: dict[str, Any]) -> None:
    try:
        spool.put(payload["action"], payload)
    except OSError as error:
        raise HTTPException(503, f"neither the database nor the disk takes the webhook: {error.strerror}") from error


def _authenticate(request: Request, secret: str) -> None:
    """Raises 401 unless the header is the secret, compared in constant time; an empty secret is always refused."""
    given = request.headers.get(SECRET_HEADER, "")
    if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
        raise HTTPException(401, f"{SECRET_HEADER} is missing or wrong")


async def _body(request: Request) -> bytes:
    """The body. Raises 413 as soon as more than MAX_BODY bytes have come, whatever the header promised."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"a webhook has at most {MAX_BODY} bytes")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    """A webhook is a JSON object with an action. Raises 400 for anything else, also for NaN."""
    try:
        payload = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is not JSON") from error
    action = payload.get("action") if isinstance(payload, dict) else None
    if not isinstance(action, str) or not action.isascii() or not action.isprintable():
        raise HTTPException(400, "the body is not a JSON object with an action")
    return dict(payload)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def work(parts: "Parts") -> None:
    """Turn waiting webhooks into labels, and have Prefect start a retrain where there are enough."""
    from flows.prefect_api.events import deliver
    from flows.steps.inbox import work_on_inbox
    from flows.steps.new_labels import announce

    settings, labels = parts.settings, parts.labels
    server = settings.needed("label_studio_url")
    if work_on_inbox(parts.inbox, parts.projects, parts.tasks, labels, parts.scheme, server) is None:
        return
    announce(labels, parts.texts, parts.datasets, parts.outbox, lambda: parts.seed, settings.retrain_after)
    deliver(parts.outbox, settings.prefect_server)


def main() -> None:
    """Receive for the project of the settings until told to stop (`python -m deployments.receiver.app`)."""
    from flows.wiring.parts import open_parts

    parser = argparse.ArgumentParser(prog="python -m deployments.receiver.app", description="Receive webhooks.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with open_parts() as made:
            secret = made.settings.webhook_secret
            spool = Spool(made.settings.home / "webhooks")
            app = create_app(made.inbox, spool, secret.get_secret_value() if secret else "", lambda: work(made))
            server.run(app, arguments.host, arguments.port)
    except FinloopError as error:
        sys.stderr.write(f"finloop: {error}\n")
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
