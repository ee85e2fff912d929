"""A folder of results that is replaced as a whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxrbench.files import atomic_folder, partial_of


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder that takes the place of ``folder`` only if the block succeeds.

    The earlier folder is moved aside before the new one takes its name, and deleted after that: at every moment,
    a kill included, one of the two is whole.
    """
    fresh, earlier = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.earlier")
    if earlier.exists() and not folder.exists():  # killed between the two renames
        earlier.rename(folder)
    for left_over in (fresh, partial_of(fresh)):
        shutil.rmtree(left_over, ignore_errors=True)
    with atomic_folder(fresh) as scratch:
        yield scratch
    shutil.rmtree(earlier, ignore_errors=True)
    if folder.exists():
        folder.rename(earlier)
    fresh.rename(folder)
    shutil.rmtree(earlier, ignore_errors=True)
