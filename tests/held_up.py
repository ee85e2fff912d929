"""A decoder that some films hold up, in a module that decoding processes can import."""

import time

from cxrbench.predict.preparation import Prepared, Request
from cxrbench.predict.preparation import prepare_file as prepare


def prepare_file(request: Request, sizes: tuple[int, ...]) -> Prepared | str:
    """Prepare a film; one whose name ends in ``.slow`` takes far longer than any limit of a test."""
    if request.path.suffix == ".slow":
        time.sleep(600)
    return prepare(request, sizes)
