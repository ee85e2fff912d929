"""Writing that outlives a power cut: what was written is on the disk when the call returns."""

import os
from pathlib import Path

from cxrbench.files import atomic_file


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that is never seen half done.

    Raises:
        OSError: It cannot be written.
    """
    with atomic_file(path) as scratch:
        scratch.write_bytes(content)
        flush(scratch)
    flush(path.parent)


def flush(path: Path) -> None:
    """Hand a file's content, or the names in a folder, down to the disk.

    Raises:
        OSError: It cannot be written.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
