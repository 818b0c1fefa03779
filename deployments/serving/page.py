"""The page on which people try the served model: a form, the scores as bars, the model, and the last predictions.

The page is one document with style and script inside, so that it loads nothing from the internet. Without JavaScript
the form is posted; the script only saves the reload.
"""

from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader

from deployments.serving.batcher import Overloaded
from deployments.serving.passes import ModelFails, TextFails
from deployments.serving.service import Service, TheService
from deployments.serving.wire import MAX_TEXTS, PredictRequest
from storage.errors import BadInput
from storage.records import Prediction
from storage.scheme import Scheme
from storage.text import MAX_CHARACTERS

router = APIRouter(include_in_schema=False)

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
EXAMPLES = 4
"""How many texts the page offers to try, at most."""


@router.get("/")
def show(service: TheService) -> Response:
    """The page with an empty form."""
    return _page(service)


@router.post("/")
async def ask(service: TheService, text: Annotated[str, Form()] = "") -> Response:
    """The page with the prediction for a posted form, for browsers without JavaScript."""
    try:
        texts = PredictRequest(text=text).checked_texts()
    except BadInput as error:
        return _page(service, text, problem=str(error).removeprefix("text: "), status=422)
    if (reason := service.slot.why_not_ready()) is not None:
        return _page(service, text, problem=f"no model is served: {reason}", status=503)
    try:
        answer = (await service.predict(texts))[0]
    except (TextFails, ModelFails, Overloaded) as error:
        return _page(service, text, problem=str(error), status=422 if isinstance(error, TextFails) else 503)
    return _page(service, text, prediction=answer.prediction, truncated=answer.truncated)


def _page(
    service: Service, text: str = "", *, prediction: Prediction | None = None, truncated: bool = False,
    problem: str = "", status: int = 200,
) -> Response:  # fmt: skip
    served, scheme = service.slot.served, service.scheme
    html = _environment().get_template("serving.html").render(
        text=text, prediction=prediction, truncated=truncated, problem=problem, scheme=scheme,
        examples=_examples(scheme), colours={label.name: label.colour for label in scheme.labels},
        served=served, not_ready=service.why_not_ready(), last_error=service.slot.last_error,
        recent=list(reversed(service.recent)), max_characters=MAX_CHARACTERS, max_texts=MAX_TEXTS,
    )  # fmt: skip
    return HTMLResponse(html, status, headers=_HEADERS)


def _examples(scheme: Scheme) -> list[str]:
    """One obvious text of each label, so that the bars are seen to move."""
    return list({case.label: case.text for case in reversed(scheme.obvious)}.values())[-EXAMPLES:][::-1]


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, trim_blocks=True)
