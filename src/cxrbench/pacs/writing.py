"""Results in a folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom

from cxrbench.errors import ConfigError
from cxrbench.files import atomic_file
from cxrbench.pacs.answering import Results

SUFFIXES = (".dcm", ".dicom")
"""Of DICOM files; any other suffix may be the last part of a UID."""
REPORT, CAPTURE, PRESENTATION = "report.dcm", "heat-map-{}.dcm", "boxes.dcm"


def folders_of(films: Sequence[Path], out: Path) -> dict[Path, Path]:
    """The folder in ``out`` that each film's results go to.

    Raises:
        ConfigError: Two films lead to one folder.
    """
    films_of: dict[Path, Path] = {}
    for film in films:
        folder = out / (film.stem if film.suffix.lower() in SUFFIXES else film.name)
        if folder in films_of:
            raise ConfigError(f"{film}: its results would replace those of {films_of[folder]} in {folder}; rename it")
        films_of[folder] = film
    return {film: folder for folder, film in films_of.items()}


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
