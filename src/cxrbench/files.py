"""Writing that is never seen half done, and digests that identify content."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from cxrbench.errors import DataError


@contextmanager
def atomic_folder(folder: Path, *, keep_on_error: bool = False, is_durable: bool = True) -> Iterator[Path]:
    """Yield a scratch folder that becomes ``folder`` only if the block succeeds.

    So a folder that exists is complete, and resuming means making what is absent.

    Args:
        folder: Final name; must not exist yet.
        keep_on_error: Leave ``<name>.partial`` behind after an error, for work that resumes from it.
        is_durable: Hand everything down to the disk first, so that a power cut leaves no folder half written; not
            worth its time for thousands of files that are easily made again.

    Raises:
        FileExistsError: ``folder`` exists already.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists already")
    scratch = partial_of(folder)
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        yield scratch
    except BaseException:
        if not keep_on_error:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    if is_durable:
        sync(scratch)
    scratch.rename(folder)
    if is_durable:
        _sync_one(folder.parent)


def partial_of(folder: Path) -> Path:
    """Where the unfinished work of ``folder`` lives."""
    return folder.with_name(folder.name + ".partial")


def sync(path: Path) -> None:
    """Hand a file, or a folder with all that is in it, down to the disk.

    Raises:
        OSError: It cannot be written.
    """
    for one in path.rglob("*") if path.is_dir() else ():
        if not one.is_symlink():
            _sync_one(one)
    _sync_one(path)


def _sync_one(path: Path) -> None:
    """Hand a file's content, or the names in a folder, down to the disk.

    Raises:
        OSError: It cannot be written.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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


@contextmanager
def alone(folder: Path, doing: str) -> Iterator[None]:
    """Keep other processes out of a folder; the system lets go of it when this one ends, however it ends.

    Args:
        folder: To lock, where its file system can do that (over a network, some cannot).
        doing: What another process does that has it, for the error.

    Raises:
        DataError: Another process is in it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder, doing)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path, doing: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(f"{folder}: another process {doing}; wait for it") from None
    except OSError:
        return


@contextmanager
def atomic_file(path: Path, *, is_durable: bool = True) -> Iterator[Path]:
    """Yield a scratch path beside ``path`` that replaces it only if the block succeeds.

    Args:
        path: Final name.
        is_durable: Hand the content down to the disk first; as of ``atomic_folder``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = _scratch_of(path)
    try:
        yield scratch
        if is_durable:
            sync(scratch)
        scratch.replace(path)
        if is_durable:
            _sync_one(path.parent)
    except Exception as error:
        # Writers in other languages hide a full disk in errors of their own.
        if "os error 28" in str(error) or "No space left" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Wait until no other process makes ``path``, as far as the file system's locks reach; look then if it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        with suppress(OSError):  # over a network, some file systems cannot lock
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def try_file(path: Path) -> None:
    """See that ``atomic_file`` could write ``path``, before the work that it is to hold; makes the folder if need be.

    Raises:
        OSError: It could not.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = _scratch_of(path)
    scratch.touch()
    scratch.unlink()


def _scratch_of(path: Path) -> Path:
    """A file beside ``path`` that nobody else writes."""
    # Not the process id: on shared storage, another node may have the same.
    return path.with_name(f".{path.name}.{uuid4().hex[:12]}.partial")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic_file(path) as scratch:
        scratch.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document atomically, indented, keys in the order given."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def digest_json(value: Any) -> str:
    """SHA-256 (hex) of a JSON value, independent of key order."""
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


def digest_rows(rows: Iterable[Any]) -> str:
    """``digest_json`` of a list, of which one item at a time is in memory."""
    digest, comma = hashlib.sha256(b"["), ""
    for row in rows:
        digest.update((comma + _canonical(row)).encode())
        comma = ","
    digest.update(b"]")
    return digest.hexdigest()


def _canonical(value: Any) -> str:
    """JSON without blanks, keys sorted."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
