"""A study in an object store (any URL that fsspec knows), for nodes that share no file system.

An object store has no rename and no memory maps. A folder goes there file by file, its mark last: the mark names every
file with its SHA-256, and a folder without one does not count. What runs share (table, splits, weights, store) is
fetched once per node into a folder of its own and mapped there; the state of a fit goes there as one object after each
epoch, so that another node can go on from it.
"""

import io
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from fsspec.core import url_to_fs

from cxrbench.errors import StudyError
from cxrbench.files import atomic_folder, digest_file, digest_json, in_turn, partial_of
from cxrbench.runs import SPLITS_FOLDER, TABLE_FILE
from cxrbench.study.attempt import KEPT
from cxrbench.study.performing import Outcome, perform
from cxrbench.study.plan import RunTask
from cxrbench.training import ReportStep, Step

MARK = "complete.json"
SHARED, BEGUN, STORE, WEIGHTS = "shared", "begun", "store", "weights"
FETCHED = "attempt-fetched"
"""Where the state of an earlier attempt, made on another node, is laid for the next one."""


@dataclass(frozen=True)
class Storage:
    """A folder in an object store.

    Attributes:
        url: Such as ``s3://bucket/study``; the package for its kind must be installed on all nodes.
        cache: Folder of each node for what runs share, and for the runs it makes until they are sent; None: in its
            temporary folder.
    """

    url: str
    cache: Path | None = None

    def push_folder(self, folder: Path, name: str) -> None:
        """Copy a folder there; it counts once its mark is there."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        self.push_files({str(path.relative_to(folder)): path for path in files}, name)

    def push_files(self, files: dict[str, Path], name: str) -> None:
        """Copy files there, under names of their own, and their mark last."""
        system, root = self._open()
        for to, path in files.items():
            target = f"{root}/{name}/{to}"
            system.makedirs(target.rpartition("/")[0], exist_ok=True)
            system.put_file(str(path), target)
        digests = {to: digest_file(path) for to, path in files.items()}
        system.pipe_file(f"{root}/{name}/{MARK}", json.dumps(digests).encode())

    def has(self, name: str) -> bool:
        """Whether a folder is there, complete."""
        system, root = self._open()
        return bool(system.exists(f"{root}/{name}/{MARK}"))

    def pull_folder(self, name: str, folder: Path) -> None:
        """Fetch a complete folder; it appears when every file is there and is the one that was sent.

        Raises:
            StudyError: A file is not the one that was sent.
        """
        system, root = self._open()
        digests: dict[str, str] = json.loads(system.cat_file(f"{root}/{name}/{MARK}"))
        # Not in the folder's own ``.partial``: attempts lie there.
        fresh = folder.with_name(f"{folder.name}.fetched")
        for left in (fresh, partial_of(fresh)):
            shutil.rmtree(left, ignore_errors=True)
        with atomic_folder(fresh) as scratch:
            for file, digest in digests.items():
                (scratch / file).parent.mkdir(parents=True, exist_ok=True)
                system.get_file(f"{root}/{name}/{file}", str(scratch / file))
                if digest_file(scratch / file) != digest:
                    raise StudyError(f"{self.url}/{name}/{file}: not the file that was sent; remove {name} there")
        fresh.rename(folder)

    def push_object(self, content: bytes, name: str) -> None:
        """Put one object there, in one piece."""
        system, root = self._open()
        system.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
        system.pipe_file(f"{root}/{name}", content)

    def pull_object(self, name: str) -> bytes | None:
        """An object's content; None where there is none."""
        system, root = self._open()
        try:
            content: bytes = system.cat_file(f"{root}/{name}")
        except FileNotFoundError:
            return None
        return content

    def remove_object(self, name: str) -> None:
        """Remove an object that nobody needs, where that is allowed."""
        system, root = self._open()
        with suppress(Exception):  # each kind of storage has errors of its own, also where there is no such object
            system.rm_file(f"{root}/{name}")

    def _open(self) -> tuple[Any, str]:
        """The file system of the URL, and the folder in it.

        Raises:
            StudyError: No such kind of storage, or its package is not installed.
        """
        try:
            system, root = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise StudyError(f"storage {self.url}: {error}") from None
        return system, root


@dataclass(frozen=True)
class Away:
    """Where a node that does not see the study finds what it needs: the storage, and what runs share there."""

    storage: Storage
    shared: str


def send_study(url: str, cache: Path | None, tasks: Sequence[RunTask]) -> Away:
    """Send what these runs share, and fetch those that are complete in the storage.

    Raises:
        StudyError: The storage cannot be used.
    """
    storage = Storage(url, cache)
    try:
        away = Away(storage, push_shared(storage, tasks[0]))
    except StudyError:
        raise
    except Exception as error:  # noqa: BLE001 - each kind of storage has errors of its own
        raise StudyError(
            f"storage {url} cannot be used ({' '.join(repr(error).split()):.200}); see to its name, keys and network"
        ) from None
    for task in tasks:
        with suppress(Exception):  # it is tried again when the run is found complete, and told then
            pull_run(storage, task)
    return away


def push_shared(storage: Storage, task: RunTask) -> str:
    """Send what the runs of a study share, unless it is there; the name it has there."""
    weights = task.study / WEIGHTS
    files = {TABLE_FILE: task.study / TABLE_FILE}
    for folder, to in ((task.study / SPLITS_FOLDER, SPLITS_FOLDER), (weights, WEIGHTS), (task.store, STORE)):
        files |= {f"{to}/{path.name}": path for path in sorted(folder.glob("*")) if path.is_file()}
    name = f"{SHARED}/{digest_json({to: digest_file(path) for to, path in files.items()})[:16]}"
    if not storage.has(name):
        storage.push_files(files, name)
    return name


def perform_away(task: RunTask, away: Away) -> Outcome:
    """Make a run on a node that sees the study in the storage alone; what is complete is sent there.

    Args:
        task: The run, with the paths of whoever planned it.
        away: From ``send_study``.
    """
    storage, there = away.storage, run_place(task)
    if storage.has(there):
        return Outcome(task.name, 0.0)
    study = _fetched(storage, away.shared)
    weights = None if task.weights is None else study / WEIGHTS / task.weights.name
    # What is shared may be shared by studies of different settings, whose runs have the same names.
    own = replace(task, study=study, store=study / STORE, weights=weights, place=there)
    _lay_begun(storage, own)
    outcome = perform(own, report=_sending(storage, own))
    if outcome.failure is None:
        storage.push_folder(own.folder, there)
        storage.remove_object(_begun_place(own))
        shutil.rmtree(own.folder)
    return outcome


def pull_run(storage: Storage, task: RunTask) -> bool:
    """Fetch a run that is complete in the storage; whether it is in the study now."""
    folder = task.folder
    if not folder.exists() and storage.has(run_place(task)):
        storage.pull_folder(run_place(task), folder)
        shutil.rmtree(partial_of(folder), ignore_errors=True)
    return folder.exists()


def run_place(task: RunTask) -> str:
    """Where a run is in the storage; one of other settings has another place."""
    return f"{task.name.folder(Path())}/{task.config.hash[:16]}"


def _fetched(storage: Storage, shared: str) -> Path:
    """What runs share, on this node: fetched by the first that needs it, while others wait."""
    folder = (storage.cache or own_cache()) / shared
    with in_turn(folder):
        if not folder.exists():
            storage.pull_folder(shared, folder)
    return folder


def own_cache(parent: Path | None = None) -> Path:
    """A folder for this user alone, as all can write to where it is.

    Args:
        parent: Where it is; None: where the system has temporary files.

    Raises:
        StudyError: Someone else made it.
    """
    folder, user = (parent or Path(gettempdir())) / f"cxrbench-{os.getuid()}", os.getuid()
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
        raise StudyError(f"{folder}: not a folder of user {user}, who should own it; name another with cluster.cache")
    folder.chmod(0o700)
    return folder


def _sending(storage: Storage, task: RunTask) -> ReportStep:
    """Send the state of the fit at the begin of each epoch but the first."""

    def report(step: Step) -> None:
        if step.batch == 1 and step.epoch > 0:
            storage.push_object(_packed(task.folder), _begun_place(task))

    return report


def _begun_place(task: RunTask) -> str:
    return f"{BEGUN}/{run_place(task)}.tar"


def _packed(folder: Path) -> bytes:
    """State and weights of the attempt that is under way, as one object: they belong together."""
    states = partial_of(folder).glob(f"attempt-*/{KEPT[0]}")
    scratch = max(states, key=lambda path: path.stat().st_mtime_ns).parent
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for file in KEPT:
            archive.add(scratch / file, arcname=file)
    return content.getvalue()


def _lay_begun(storage: Storage, task: RunTask) -> None:
    """Lay the state that an attempt on another node sent beside those of this node; the furthest one is resumed."""
    if (content := storage.pull_object(_begun_place(task))) is None:
        return
    laid = partial_of(task.folder) / FETCHED
    laid.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for file in KEPT:
            archive.extract(file, laid, filter="data")
