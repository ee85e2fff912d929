"""The application: bundles and settings -> routes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import cxrbench
from cxrbench.bundle import Bundle
from cxrbench.serve import page, routes
from cxrbench.serve.documents import RESEARCH_USE_ONLY
from cxrbench.serve.guard import Guard
from cxrbench.serve.refusals import Refusal
from cxrbench.serve.service import Service, open_bundles
from cxrbench.serve.settings import ServeSettings

ABOUT = f"""
{RESEARCH_USE_ONLY}

Send a chest film (DICOM, PNG, JPEG or TIFF) as the part `film` of a multipart form and get what a bundle says of it.
Nothing of a film is kept. Every error has one shape: `{{"error": {{"what": ..., "remedy": ...}}}}`.

    curl -F film=@film.dcm http://127.0.0.1:8000/v1/predict
"""


def create_app(bundles: Mapping[str, Bundle], settings: ServeSettings | None = None) -> FastAPI:
    """An ASGI application that serves bundles; their networks are loaded and checked here.

    Args:
        bundles: By the names that requests use; the first is asked where a request names none.
        settings: Limits and token; the usual ones for None.

    Raises:
        ValueError: No bundle.
        BundleError: One gives another answer on this machine than when it was made.
        ConfigError: No such backend.
    """
    if not bundles:
        raise ValueError("a server needs a bundle")
    own = settings or ServeSettings()
    service = Service(open_bundles(bundles, own), own)
    app = FastAPI(
        title="cxrbench",
        version=cxrbench.__version__,
        summary="Chest X-ray classifiers behind HTTP",
        description=ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=_lifespan,
        docs_url=None,  # their scripts come from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.include_router(routes.films)
    app.include_router(routes.bundles)
    app.include_router(routes.server)
    app.include_router(page.router)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_middleware(Guard, settings=own, metrics=service.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.start()
    try:
        yield
    finally:
        service.stop()


def _no_route(_request: Request, error: Exception) -> Response:
    """A path or method that does not exist, in the shape of all errors."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    what = "no such method on this path" if status == 405 else "no such path"
    response = Refusal(status, "path", what=what, remedy="see /openapi.json for what there is").response()
    response.headers.update(getattr(error, "headers", None) or {})
    return response
