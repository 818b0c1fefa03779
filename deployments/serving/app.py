"""Serves the model over HTTP: `/predict`, a page for people, and what monitoring needs.

Nothing here reads the environment; `main` takes the parts from the composition root.
"""

import argparse
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.serving import admin, page
from deployments.serving.batcher import NoModel, Overloaded
from deployments.serving.passes import ModelFails, TextFails
from deployments.serving.prediction_log import PredictionLog
from deployments.serving.service import Service, TheService
from deployments.serving.swap import Load, LoadFailed, NotPrepared, load_classifier
from deployments.serving.wire import BODY, FORM, PredictRequest, TextPrediction, TextPredictions, documented, to_wire
from deployments.supervisor.cores import limit_threads, share_cores
from deployments.web import server
from deployments.web.json_route import JsonRoute, aside
from storage.errors import BadInput, CorruptModel, FinloopError, UnknownVersion
from storage.models.registry import Registry
from storage.scheme import Scheme

if TYPE_CHECKING:
    from flows.wiring.parts import Parts

STATUS: dict[type[FinloopError], int] = {
    BadInput: 422,
    CorruptModel: 422,
    LoadFailed: 422,
    ModelFails: 503,
    NotPrepared: 409,
    UnknownVersion: 404,
    NoModel: 503,
    Overloaded: 503,
    TextFails: 422,
}
"""The HTTP status of each named error; any other error is a 500."""
GONE = 499
"""What is counted where the client left before its response, as nginx does."""


def create_app(
    registry: Registry, scheme: Scheme, *, admin_token: str, log: PredictionLog | None, load: Load = load_classifier
) -> FastAPI:
    """The serving app for models of a label scheme.

    An empty `admin_token` closes the admin calls; without a `log` served texts are not kept.
    """
    service = Service(registry, scheme, admin_token=admin_token, log=log, load=load)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()

    app = FastAPIOffline(title="finloop serving", summary=f"Labels texts by the scheme {scheme.name}", lifespan=running)
    app.state.service = service
    app.router.route_class = JsonRoute
    server.guard(app, {"/predict": BODY, "/": FORM})
    app.add_middleware(_Measured, service=service)
    app.add_exception_handler(RequestValidationError, _invalid)
    for error in STATUS:
        app.add_exception_handler(error, _refused)
    shown = documented(scheme)
    app.add_api_route("/predict", predict, methods=["POST"], response_model_exclude_none=True, **shown)
    for path, endpoint in (("/healthz", healthz), ("/readyz", readyz), ("/model", model), ("/metrics", metrics)):
        app.add_api_route(path, endpoint, methods=["GET"])
    app.include_router(admin.router)
    app.include_router(page.router)
    return app


async def predict(
    request: PredictRequest, service: TheService, logits: bool = Query(default=False, description="add the raw outputs")
) -> TextPrediction | TextPredictions:
    """Predict one `text`, or a list of `texts`; every prediction names the version that it came from."""
    texts = await aside(PredictRequest.checked_texts, request, request.characters())
    try:
        answers = await service.predict(texts)
    except TextFails as error:
        raise TextFails(f"{request.place(error.index)}: {error}", error.index) from error
    said = [to_wire(one.prediction, truncated=one.truncated, logits=logits or request.logits) for one in answers]
    if request.texts is None:
        return said[0]
    return TextPredictions(predictions=said, model_version=said[0].model_version)


async def healthz() -> dict[str, str]:
    """200 while the process lives, with or without a model."""
    return {"status": "alive"}


async def readyz(service: TheService) -> JSONResponse:
    """200 where a model is served and works, else 503 with the reason; both name a failed load of another version."""
    reason, failure = service.why_not_ready(), service.slot.last_error
    body = {"ready": reason is None, "reason": reason, "last_error": failure and failure.reason}
    return JSONResponse(body, status_code=200 if reason is None else 503)


def model(service: TheService) -> dict[str, Any]:
    """The version that is served and where it came from; `version` is null where none is."""
    return service.describe()


async def metrics(service: TheService) -> Response:
    """Numbers for Prometheus."""
    return Response(service.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status = STATUS[type(error)] if isinstance(error, FinloopError) else 500
    return JSONResponse({"detail": str(error)}, status, headers={"Retry-After": "1"} if status == 503 else None)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    # The default response repeats the input, which may be large, or hold characters that cannot be sent back.
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{'.'.join(str(place) for place in one['loc'][1:])}: {one['msg']}" for one in problems)
    return JSONResponse({"detail": said.lstrip(": ")}, 422)


class _Measured:
    """Counts and times `/predict`. Plain ASGI: the framework's own middleware class costs more than the handler."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._metrics = service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/predict":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = GONE

        async def counted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            status = 500
            raise
        finally:
            self._metrics.requests.labels(str(status)).inc()
            self._metrics.seconds.observe(time.perf_counter() - began)


def main() -> None:
    """`python -m deployments.serving.app`: serve the champion until told to stop; exit code 2 on an error."""
    from flows.wiring.parts import open_parts

    parser = argparse.ArgumentParser(prog="python -m deployments.serving.app", description="Serve the champion.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    limit_threads()
    share_cores()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with open_parts() as made:
            server.run(wired(made), arguments.host, arguments.port)
    except FinloopError as error:
        sys.stderr.write(f"finloop: {error}\n")
        raise SystemExit(2) from error


def wired(made: "Parts") -> FastAPI:
    """The app on these parts; it keeps served texts only where FINLOOP_LOG_PREDICTIONS is true."""
    settings, token = made.settings, made.settings.admin_token
    log = None
    if settings.log_predictions:
        log = PredictionLog(lambda: made.texts, made.intake)
    return create_app(made.registry, made.scheme, admin_token=token.get_secret_value() if token else "", log=log)


if __name__ == "__main__":
    main()
