"""Files -> prepared films, in processes of their own: a file that kills its decoder costs itself only."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from cxrbench.data.sandbox import KILLED, SECONDS, each_in_sandbox, within
from cxrbench.predict.preparation import Prepared, Request, prepare_file

Outcome = tuple[Request, Prepared | str]
"""A request, and its film or why there is none."""
Prepare = Callable[[Request, tuple[int, ...]], Prepared | str]


def decoded(requests: Sequence[Request], sizes: tuple[int, ...], *, workers: int) -> Iterator[Outcome]:
    """Read and shrink files, in order.

    Args:
        requests: Files to read.
        sizes: Sides to shrink to, pixels.
        workers: Processes; with 0 all is done in this one, which a file could then take down.
    """
    if not workers:
        yield from ((request, prepare_file(request, sizes)) for request in requests)
        return
    work = partial(_limited, prepare=prepare_file, sizes=sizes, seconds=SECONDS)
    for request, found in each_in_sandbox(requests, work, workers=workers):
        yield request, KILLED if found is None else found


def _limited(request: Request, *, prepare: Prepare, sizes: tuple[int, ...], seconds: int) -> Prepared | str:
    """Read and shrink one file, or end this process after so many seconds."""
    return within(seconds, prepare, request, sizes)
