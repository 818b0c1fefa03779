"""Lets a client with the admin token change the served model: load another beside it, then swap."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict

from deployments.serving.service import TheService
from deployments.web.json_route import JsonRoute


class Wanted(BaseModel):
    """A version number or an alias."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": "2"}]})

    version: str


class Done(BaseModel):
    """The number of the version, and whether it is served now."""

    version: str
    served: bool


Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def require_token(service: TheService, bearer: Bearer) -> None:
    """Raise 401 unless the bearer token is the configured one, compared in constant time, or if none is configured."""
    given = bearer.credentials if bearer else ""
    if not service.admin_token:
        reason = "admin calls are closed: no admin token is configured (FINLOOP_ADMIN_TOKEN)"
    elif not hmac.compare_digest(given.encode(errors="surrogateescape"), service.admin_token.encode()):
        reason = "the admin token is missing or wrong (Authorization: Bearer ...)"
    else:
        return
    raise HTTPException(401, reason, headers={"WWW-Authenticate": "Bearer"})


router = APIRouter(prefix="/admin", tags=["admin"], route_class=JsonRoute, dependencies=[Depends(require_token)])


@router.post("/load")
def load(wanted: Wanted, service: TheService) -> Done:
    """Load a version beside the served one and check it. 404: unknown version; 422: it cannot be used."""
    served = service.load(wanted.version)
    return Done(version=served.version.version, served=served is service.slot.served)


@router.post("/swap")
def swap(wanted: Wanted, service: TheService) -> Done:
    """Serve the loaded version from the next batch on. 409: the version was not loaded before."""
    served = service.swap(wanted.version)
    return Done(version=served.version.version, served=True)
