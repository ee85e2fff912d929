"""The API's routes, and all that its description says of them."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cxrbench.serve import metrics
from cxrbench.serve.asking import HEAT_METHODS, KNOWN, OLDEST, UNKNOWN
from cxrbench.serve.documents import BundlesDocument, HealthDocument, PredictionDocument
from cxrbench.serve.refusals import ErrorDocument, Refusal, busy
from cxrbench.serve.service import Service
from cxrbench.serve.uploads import FILM, Upload, read_upload

T = TypeVar("T")

REFUSED = {
    400: "The form is damaged or breaks off",
    408: "The upload stalled",
    413: "The upload is too large",
    415: "No multipart form",
    422: "The film cannot be read, or a field cannot be used",
}
COMMON = {
    401: "The token is missing or wrong",
    403: "Asked by another site's page",
    421: "Asked under another host's name",
    503: "No room at the moment; see Retry-After",
}
FIELDS: dict[str, Any] = {
    "age": {
        "oneOf": [{"type": "number", "minimum": 0, "maximum": OLDEST}, {"type": "string", "enum": [UNKNOWN]}],
        "description": f"years; counts more than the header, and so does `{UNKNOWN}`",
        "example": 62,
    },
    "sex": {
        "type": "string",
        "enum": ["F", "M", UNKNOWN],
        "description": f"counts more than the header, and so does `{UNKNOWN}`",
    },
    "view": {
        "type": "string",
        "pattern": "^[A-Za-z][A-Za-z0-9 _-]{0,15}$",
        "description": f"view position; counts more than the header, and so does `{UNKNOWN}`",
        "example": "PA",
    },
    "bundle": {"type": "string", "description": "name of a bundle; the first where it is left out"},
    "finding": {"type": "string", "description": "one of the bundle's findings", "example": "Effusion"},
    "method": {
        "type": "string",
        "enum": list(HEAT_METHODS),
        "description": "of the heat map; left out, the first of the bundle's",
    },
}

NAME: dict[str, Any] = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "of the bundle",
    "schema": {"type": "string"},
}
"""Described here: a parameter of the function would add the framework's own error, of another shape."""


def errors(*described: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """What a route may refuse, for its description."""
    return {status: {"model": ErrorDocument, "description": text} for one in described for status, text in one.items()}


def form(*fields: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """A multipart body with a film, for a route's description."""
    properties = {FILM: {"type": "string", "format": "binary", "description": "DICOM, PNG, JPEG or TIFF"}}
    schema = {
        "type": "object",
        "required": [FILM, *required],
        "properties": properties | {name: FIELDS[name] for name in fields},
        "additionalProperties": False,
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def png(description: str, headers: dict[str, str]) -> dict[int | str, dict[str, Any]]:
    """An answer that is a picture, for a route's description."""
    described = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    content = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": description, "content": content, "headers": described}}


films = APIRouter(prefix="/v1", tags=["films"], responses=errors(REFUSED, COMMON))
bundles = APIRouter(prefix="/v1", tags=["bundles"], responses=errors(COMMON))
server = APIRouter(tags=["server"], responses=errors({421: COMMON[421], 403: COMMON[403]}))


@films.post("/predict", summary="What a bundle says of a film", openapi_extra=form(*KNOWN, "bundle"))
async def predict(request: Request) -> PredictionDocument:
    """Probability, decision and percentile of every finding, with warnings.

    Where a finding's `is_calibrated` is false, its number is the network's own output and no share of patients: do not
    show it as a probability. Age, sex and view come from the DICOM header unless the form has them.
    """
    service, upload = await _upload(request, *KNOWN, "bundle")
    return await _unless_gone(request, service.predict(upload))


@films.post(
    "/explain",
    summary="Where a bundle sees a finding",
    openapi_extra=form(*KNOWN, "bundle", "finding", "method", required=("finding",)),
    responses=png(
        "Heat map to lay over the film: red, green, blue, opacity; as the film, at most 1,024 pixels a side",
        {
            "Cxrbench-Evidence": "`some`, or `none` where nothing in the film speaks for the finding",
            "Cxrbench-Method": "the method that made it: another one where the networks refuse that of the form",
        },
    ),
    response_class=Response,
)
async def explain(request: Request) -> Response:
    """Heat map of one finding; its own maximum is opaque, so that two maps do not compare."""
    service, upload = await _upload(request, *KNOWN, "bundle", "finding", "method")
    heat = await _unless_gone(request, service.explain(upload))
    evidence = "some" if heat.has_evidence else "none"
    return Response(
        heat.png, media_type="image/png", headers={"Cxrbench-Evidence": evidence, "Cxrbench-Method": heat.method}
    )


@films.post(
    "/film",
    summary="A film to look at",
    openapi_extra=form(),
    responses=png(
        "The film, bones bright, 8 bits grey, at most 1,536 pixels a side",
        {"Cxrbench-Film-Size": "width x height of the film itself, pixels"},
    ),
    response_class=Response,
)
async def film(request: Request) -> Response:
    """The film as the networks get it before it is shrunk: modality and VOI LUT or window applied."""
    service, upload = await _upload(request)
    picture = await _unless_gone(request, service.picture(upload))
    size = f"{picture.width} x {picture.height}"
    return Response(picture.png, media_type="image/png", headers={"Cxrbench-Film-Size": size})


@bundles.get("/bundles", summary="What is served")
async def list_bundles(request: Request) -> BundlesDocument:
    """All bundles; the first is asked where a request names none."""
    service = _service(request)
    return BundlesDocument.model_validate(
        {
            "bundles": [served.document for served in service.served.values()],
            "max_upload_mb": service.settings.max_upload_mb,
        }
    )


@bundles.get(
    "/bundles/{name}/card",
    summary="A bundle's model card",
    responses={
        200: {"description": "Markdown", "content": {"text/markdown": {"schema": {"type": "string"}}}},
        **errors({404: "No such bundle"}),
    },
    response_class=Response,
    openapi_extra={"parameters": [NAME]},
)
async def card(request: Request) -> Response:
    """Training population, input, thresholds, test results with intervals."""
    served = _service(request).served.get(request.path_params["name"])
    if served is None:
        raise Refusal(404, "path", what="no such bundle", remedy="see /v1/bundles for the names")
    return Response(served.bundle.card, media_type="text/markdown")


@server.get("/healthz", summary="Whether the server runs")
async def health() -> HealthDocument:
    """Answers as long as the process works."""
    return HealthDocument()


@server.get("/readyz", summary="Whether films can be answered", responses=errors({503: COMMON[503]}))
async def ready(request: Request) -> HealthDocument:
    """The networks are loaded and gave their reference answer, and their thread works."""
    if not _service(request).is_ready:
        raise busy("the server is starting or stopping")
    return HealthDocument()


@server.get(
    "/metrics",
    summary="Counters for Prometheus",
    responses={
        200: {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **errors({401: COMMON[401]}),
    },
    response_class=Response,
)
async def read_metrics(request: Request) -> Response:
    """Requests by route and status, latency, batch size, queue, refusals by reason."""
    return Response(_service(request).metrics.text(), headers={"Content-Type": metrics.CONTENT_TYPE})


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _upload(request: Request, *allowed: str) -> tuple[Service, Upload]:
    """The form of a request."""
    service = _service(request)
    try:
        return service, await read_upload(request, service.settings, service.memory, allowed=allowed)
    except ClientDisconnect:
        raise _left() from None


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Work for a client as long as it is there.

    Raises:
        Refusal: It left; nobody reads this.
    """
    asked, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise _left()
        return asked.result()
    finally:
        asked.cancel()
        gone.cancel()
        await asyncio.gather(asked, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _left() -> Refusal:
    """To nobody, but it is counted."""
    return Refusal(499, "left", what="the client left", remedy="none")
