"""Results in a folder."""

from collections.abc import Iterator
from pathlib import Path

import pydicom

from cxrbench.files import atomic_file
from cxrbench.pacs.answering import Results

REPORT, CAPTURE, PRESENTATION = "report.dcm", "heat-map-{}.dcm", "boxes.dcm"


def write_results(folder: Path, results: Results) -> Path:
    """Write a film's results; those of an earlier answer are replaced, other files of the folder stay.

    Raises:
        OSError: They cannot be written.
    """
    for earlier in (REPORT, PRESENTATION, CAPTURE.format("*")):
        for path in folder.glob(earlier):
            path.unlink()
    for name, result in _named(results):
        with atomic_file(folder / name) as scratch:
            result.save_as(scratch, enforce_file_format=True)
    return folder


def _named(results: Results) -> Iterator[tuple[str, pydicom.Dataset]]:
    """Objects with their files' names."""
    yield REPORT, results.report
    for number, capture in enumerate(results.captures, start=1):
        yield CAPTURE.format(number), capture
    if results.presentation is not None:
        yield PRESENTATION, results.presentation
