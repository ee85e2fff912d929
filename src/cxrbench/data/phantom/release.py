"""Writing generated films in the layout of the NIH release.

Source of the layout: the ChestX-ray14 release, doi:10.1109/CVPR.2017.369.
"""

import shutil
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cxrbench.data.phantom.film import draw_film
from cxrbench.data.phantom.lesions import Lesion
from cxrbench.data.phantom.population import Film, draw_population
from cxrbench.data.phantom.settings import PhantomSettings
from cxrbench.data.phantom.truth import lesion_table, truth_table
from cxrbench.errors import DataError
from cxrbench.files import atomic_folder, partial_of, write_json
from cxrbench.progress import Track, silent

IMAGES = "images"
TABLE, BOXES = "Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"
TRAINING_LIST, TEST_LIST = "train_val_list.txt", "test_list.txt"
TRUTH, LESIONS, SETTINGS = "truth.parquet", "lesions.parquet", "phantom.json"

TABLE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOXES_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
BOXES_FRAME_PX = 1024
BOXED = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Effusion": "Effusion",
    "Infiltration": "Infiltrate",
    "Mass": "Mass",
    "Nodule": "Nodule",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
}
"""The findings in the release's box list, as it spells them."""

TEST_SHARE = 0.09
"""Of the patients; about a quarter of the films, as in the release."""
RGBA_SHARE = 519 / 112_120
"""Of the release's PNGs, which have three equal colours and an opacity; the others are grey."""
DETECTORS = {"PA": ((2992, 2991, 0.143), (2500, 2048, 0.168)), "AP": ((3056, 2544, 0.139), (2500, 2048, 0.168))}
"""Width, height and spacing (mm) of the originals that the release names most often."""
LISTS_STREAM, FORMAT_STREAM = 101, 102
COMPRESSION = 3


def generate_release(folder: Path, settings: PhantomSettings, *, workers: int = 1, track: Track = silent) -> None:
    """Write a generated release; ``folder`` appears only when it is complete.

    Args:
        folder: Must not exist yet.
        settings: Equal settings give equal bytes, whatever the number of workers.
        workers: Processes that draw films.
        track: Shown the films as they are done.

    Raises:
        DataError: ``folder`` exists already.
    """
    if folder.exists():
        raise DataError(f"{folder} exists already; delete it or choose another folder for the generated films")
    shutil.rmtree(partial_of(folder), ignore_errors=True)  # films of a killed run with other settings, perhaps
    films = list(draw_population(settings))
    with atomic_folder(folder, is_durable=False) as scratch:
        lesions = _write_films(scratch / IMAGES, films, settings, workers=workers, track=track)
        test = choose_test_patients(films, settings.seed)
        _write_table(scratch, films)
        _write_lists(scratch, films, test)
        _write_boxes(scratch, films, lesions, test)
        truth_table(films, lesions).write_parquet(scratch / TRUTH)
        lesion_table(films, lesions).write_parquet(scratch / LESIONS)
        write_json(scratch / SETTINGS, settings.model_dump())


def choose_test_patients(films: Sequence[Film], seed: int) -> set[int]:
    """Patients of the official test part: few, and likelier the more films they have, as in the release."""
    patients, counts = np.unique([film.patient for film in films], return_counts=True)
    # The largest u^(1/weight) are a weighted sample without replacement; doi:10.1016/j.ipl.2005.11.003.
    keys = np.random.default_rng([seed, LISTS_STREAM]).random(len(patients)) ** (1 / counts)
    wanted = max(1, round(TEST_SHARE * len(patients)))
    return set(patients[np.argsort(keys)[-wanted:]].tolist())


def _write_films(
    images: Path, films: Sequence[Film], settings: PhantomSettings, *, workers: int, track: Track
) -> list[tuple[Lesion, ...]]:
    """Draw and write every film; what each shows."""
    images.mkdir()
    draw_one = partial(_write_film, images=images, settings=settings)
    # Closing ends the processes before the caller clears away what they have written.
    with closing(_mapped(draw_one, films, workers)) as drawn:
        return list(track(drawn, total=len(films), label="drawing films"))


def _mapped(
    draw_one: Callable[[Film], tuple[Lesion, ...]], films: Sequence[Film], workers: int
) -> Generator[tuple[Lesion, ...]]:
    """Results in the order of the films, made here or in ``workers`` processes."""
    if workers == 1:
        yield from map(draw_one, films)
        return
    # Spawned, because a forked child inherits the locks of its parent's threads.
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.map(draw_one, films, chunksize=4)


def _write_film(film: Film, *, images: Path, settings: PhantomSettings) -> tuple[Lesion, ...]:
    """Write one PNG; what it shows."""
    picture = draw_film(film, settings)
    rng = np.random.default_rng([settings.seed, film.patient, film.follow_up, FORMAT_STREAM])
    pixels = _rgba(picture.pixels) if rng.random() < RGBA_SHARE else picture.pixels
    encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, COMPRESSION])[1]
    (images / film.image_id).write_bytes(encoded.tobytes())
    return picture.lesions


def _rgba(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same picture (H, W) with colours and opacity, (H, W, 4)."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA), np.uint8)


def _write_table(folder: Path, films: Sequence[Film]) -> None:
    """Write the release's table of labels."""

    def row(film: Film) -> str:
        width, height, spacing_mm = DETECTORS[film.view][film.patient % 2]
        about = f"{film.follow_up},{film.patient},{film.age_years},{film.sex},{film.view}"
        return f"{film.image_id},{'|'.join(film.labels)},{about},{width},{height},{spacing_mm},{spacing_mm}"

    _write_lines(folder / TABLE, [TABLE_HEADER, *map(row, films)])


def _write_lists(folder: Path, films: Sequence[Film], test: set[int]) -> None:
    """Write the official parts."""
    _write_lines(folder / TRAINING_LIST, [film.image_id for film in films if film.patient not in test])
    _write_lines(folder / TEST_LIST, [film.image_id for film in films if film.patient in test])


def _write_boxes(folder: Path, films: Sequence[Film], lesions: Sequence[Sequence[Lesion]], test: set[int]) -> None:
    """Write the release's box list: lesions on test films, in pixels of its frame."""

    def row(film: Film, lesion: Lesion) -> str:
        box = (lesion.x, lesion.y, lesion.width, lesion.height)
        return ",".join([film.image_id, BOXED[lesion.finding], *(f"{value * BOXES_FRAME_PX:.6f}" for value in box)])

    found = [(film, lesion) for film, on_film in zip(films, lesions, strict=True) for lesion in on_film]
    listed = [row(film, lesion) for film, lesion in found if film.patient in test and lesion.finding in BOXED]
    _write_lines(folder / BOXES, [BOXES_HEADER, *listed])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write lines, each ended by a newline."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
