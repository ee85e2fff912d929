"""One attempt of a run: a folder of its own, so that no two attempts ever write to the same file.

A node that is believed dead may still be writing, and a batch system may start a job twice. Each attempt therefore
works in ``<run>.partial/attempt-<token>/``. The next one moves what it finds to another name, which cuts the earlier
attempt off, copies the state of the fit from there and goes on. Whoever is complete first renames its folder to the
run's name; the file system lets one win.
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from uuid import uuid4

import torch

from cxrbench.errors import StudyError
from cxrbench.files import atomic_file, partial_of
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.training import STATE_FILE, ReportStep, Step, epochs_done

MARK = ".attempt"
"""Lies in an attempt's folder while the run is its own; writing a file may make the folder again, but not this."""

KEPT = (STATE_FILE, WEIGHTS_FILE)
"""What the next attempt takes up. The state first: kept weights may be newer than it, as they are written first."""


class TakenOverError(StudyError):
    """Another attempt of the same run went on with it."""


@dataclass(frozen=True)
class Attempt:
    """A run that is being made.

    Attributes:
        run: The run's folder, which is not there yet.
        scratch: This attempt's own folder.
    """

    run: Path
    scratch: Path

    def check(self) -> None:
        """See that no other attempt took the run over.

        Raises:
            TakenOverError: One did.
        """
        if not (self.scratch / MARK).exists():
            raise TakenOverError(
                f"{self.run}: another attempt took this run over; it was started twice, or believed dead"
            )

    def watched(self, report: ReportStep) -> ReportStep:
        """``report``, with a check at the begin of each epoch, so that a lost attempt does not go on for nothing."""

        def checked(step: Step) -> None:
            if step.batch == 1:
                self.check()
            report(step)

        return checked


@contextmanager
def attempting(run: Path) -> Iterator[Attempt]:
    """Begin where earlier attempts stopped; the run's folder appears if the block succeeds.

    After an error the attempt's folder stays, for the next one.

    Raises:
        TakenOverError: Another attempt of the run went on with it meanwhile.
    """
    attempt = _begin(run)
    try:
        yield attempt
        attempt.check()
    except Exception:
        if not (attempt.scratch / MARK).exists():
            shutil.rmtree(attempt.scratch, ignore_errors=True)
            attempt.check()  # whatever went wrong, this is why
        raise
    _publish(attempt)


def is_begun(run: Path) -> bool:
    """Whether an unfinished run left something to go on from."""
    return any(partial_of(run).glob(f"*/{STATE_FILE}"))


def is_left_by_another(run: Path, config_hash: str) -> bool:
    """Whether an unfinished run was begun with another configuration, so that it begins anew."""
    hashes = [_hash(path) for path in partial_of(run).glob(f"*/{STATE_FILE}")]
    return bool(hashes) and config_hash not in hashes


def _hash(state: Path) -> str | None:
    """The hash of the configuration that a fit's state is of; None where it cannot be read."""
    try:
        return str(torch.load(state, map_location="cpu", weights_only=True, mmap=True)["hash"])
    except (OSError, RuntimeError, LookupError, TypeError, EOFError, UnpicklingError):
        return None


def _begin(run: Path) -> Attempt:
    """Cut earlier attempts off, then make a folder with what the furthest of them left."""
    partial, token = partial_of(run), uuid4().hex[:12]
    partial.mkdir(parents=True, exist_ok=True)
    earlier = [path for path in partial.iterdir() if path.is_dir()]
    taken = [partial / f"taken-{token}-{number}" for number in range(len(earlier))]
    taken = [new for old, new in zip(earlier, taken, strict=True) if _is_moved(old, new)]
    attempt = Attempt(run, partial / f"attempt-{token}")
    attempt.scratch.mkdir()
    (attempt.scratch / MARK).touch()
    _copy_furthest(taken, attempt.scratch)
    for path in taken:
        shutil.rmtree(path, ignore_errors=True)
    return attempt


def _is_moved(old: Path, new: Path) -> bool:
    """Whether this call moved it, and not that of another attempt."""
    try:
        old.rename(new)
    except FileNotFoundError:
        return False
    return True


def _copy_furthest(taken: list[Path], scratch: Path) -> None:
    """Copy the furthest state and its weights; a folder that lacks one of them is of no use."""
    usable = [path for path in taken if all((path / name).exists() for name in KEPT)]
    if not usable:
        return
    try:
        furthest = max(usable, key=_epochs_done) if len(usable) > 1 else usable[0]
        for name in KEPT:
            with atomic_file(scratch / name) as copy:
                shutil.copyfile(furthest / name, copy)
    except FileNotFoundError:  # yet another attempt took it: begin anew
        for name in KEPT:
            (scratch / name).unlink(missing_ok=True)


def _epochs_done(attempt: Path) -> int:
    """How far an attempt came; its files' times tell nothing, as nodes' clocks differ."""
    return epochs_done(attempt / STATE_FILE)


def _publish(attempt: Attempt) -> None:
    """Give the folder the run's name, unless another attempt was first."""
    with suppress(FileNotFoundError):  # of the mark, or of the folder: taken over in this very moment
        (attempt.scratch / MARK).unlink()
        try:
            attempt.scratch.rename(attempt.run)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
    if not attempt.run.exists():
        attempt.check()
    shutil.rmtree(partial_of(attempt.run), ignore_errors=True)
