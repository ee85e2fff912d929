"""Ctrl-C is a way to stop long work, not an error: what then becomes of it is said."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit code, as shells have it."""


@contextmanager
def stoppable(what: str) -> Iterator[None]:
    """End the command when it is stopped.

    Args:
        what: Becomes of the work so far; ends the message.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(f"stopped; {what}", file=sys.stderr)
        sys.exit(INTERRUPTED)
