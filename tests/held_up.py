"""Decoders that some films hold up or end, in a module that decoding processes can import."""

import os
import time
from pathlib import Path

from cxrbench.data.decoding import Chunk, Outcome
from cxrbench.data.decoding import decode_chunk as decode
from cxrbench.predict.preparation import Prepared, Request
from cxrbench.predict.preparation import prepare_file as prepare

DEADLY = "CXRBENCH_TEST_DEADLY"
"""Variable that names the film whose decoder ends."""


def prepare_file(request: Request, sizes: tuple[int, ...]) -> Prepared | str:
    """Prepare a film; one whose name ends in ``.slow`` takes far longer than any limit of a test."""
    if request.path.suffix == ".slow":
        time.sleep(600)
    return prepare(request, sizes)


def decode_chunk(chunk: Chunk, scratch: Path, sizes: tuple[int, ...], *, seconds: int | None = None) -> list[Outcome]:
    """Decode a chunk, unless it holds the film that ends its decoder."""
    if any(Path(path).name == os.environ[DEADLY] for path in chunk.paths):
        os.abort()
    return decode(chunk, scratch, sizes, seconds=seconds)
