"""The page for a person: a few files of this package, held in memory; nothing comes from elsewhere."""

from importlib import resources

from fastapi import APIRouter
from starlette.responses import Response

from cxrbench.serve.refusals import Refusal

FOLDER = resources.files("cxrbench.serve") / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES = {
    file.name: (file.read_bytes(), TYPES["." + file.name.rpartition(".")[2]])
    for file in FOLDER.iterdir()
    if "." + file.name.rpartition(".")[2] in TYPES
}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index() -> Response:
    """The page itself."""
    return _file("index.html")


@router.get("/page/{name}")
async def part(name: str) -> Response:
    """Its style and scripts."""
    return _file(name)


def _file(name: str) -> Response:
    if name not in FILES:
        raise Refusal(404, "path", what="no such path", remedy="the page is at /")
    content, kind = FILES[name]
    return Response(content, headers={"Content-Type": kind})
