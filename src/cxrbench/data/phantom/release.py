"""Writing generated films in the layout of the NIH release.

Source of the layout: the ChestX-ray14 release, doi:10.1109/CVPR.2017.369.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import polars as pl

from cxrbench.data.phantom.film import draw_film
from cxrbench.data.phantom.lesions import Lesion
from cxrbench.data.phantom.population import Film, draw_population
from cxrbench.data.phantom.settings import PhantomSettings
from cxrbench.data.phantom.truth import truth_table
from cxrbench.files import atomic_folder, write_json
from cxrbench.progress import Track, silent

TABLE = "Data_Entry_2017_v2020.csv"
TABLE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOXES = "BBox_List_2017.csv"
BOXES_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
BOXES_FRAME_PX = 1024
BOXED = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax")
TRAINING_LIST, TEST_LIST = "train_val_list.txt", "test_list.txt"
TRUTH, LESIONS, SETTINGS = "truth.parquet", "lesions.parquet", "phantom.json"

TEST_SHARE = 0.09
# Width, height and spacing_mm of the detectors that the release names most often.
DETECTORS = {"PA": ((2992, 2991, 0.143), (2500, 2048, 0.168)), "AP": ((3056, 2544, 0.139), (2500, 2048, 0.168))}


def generate_release(folder: Path, settings: PhantomSettings, *, workers: int = 1, track: Track = silent) -> None:
    """Write a generated release; ``folder`` appears only when it is complete.

    Args:
        folder: Must not exist yet.
        settings: Equal settings give equal bytes, whatever the number of workers.
        workers: Processes that draw films.
        track: Shown the films as they are done.

    Raises:
        FileExistsError: ``folder`` exists already.
    """
    films = list(draw_population(settings))
    with atomic_folder(folder) as scratch:
        (scratch / "images").mkdir(exist_ok=True)
        drawn = track(_draw(films, scratch / "images", settings, workers), total=len(films), label="Films")
        lesions = [(film, lesion) for film, found in zip(films, drawn, strict=True) for lesion in found]
        _write_lines(scratch / TABLE, [TABLE_HEADER, *map(_table_row, films)])
        _write_lists(scratch, films, settings)
        _write_truth(scratch, films, lesions)
        write_json(scratch / SETTINGS, settings.model_dump())


def choose_test_patients(films: Sequence[Film], seed: int) -> set[int]:
    """Patients of the official test part: few, and likelier the more films they have, as in the release."""
    patients, counts = np.unique([film.patient for film in films], return_counts=True)
    # The largest u^(1/weight) are a weighted sample without replacement; doi:10.1016/j.ipl.2005.11.003.
    keys = np.random.default_rng([seed, 0, 1]).random(len(patients)) ** (1 / counts)
    wanted = max(1, round(TEST_SHARE * len(patients)))
    return set(patients[np.argsort(keys)[-wanted:]].tolist())


def _draw(films: Sequence[Film], images: Path, settings: PhantomSettings, workers: int) -> Iterator[tuple[Lesion, ...]]:
    """Draw every film, in order, here or in ``workers`` processes."""
    draw_one = partial(_draw_one, images=images, settings=settings)
    if workers == 1:
        yield from map(draw_one, films)
        return
    # Spawned, because a forked child inherits locks of the parent's threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_thread) as pool:
        yield from pool.map(draw_one, films, chunksize=4)


def _single_thread() -> None:
    """Keep workers from fighting over the cores."""
    cv2.setNumThreads(1)


def _draw_one(film: Film, *, images: Path, settings: PhantomSettings) -> tuple[Lesion, ...]:
    """Write one PNG; what it shows."""
    picture = draw_film(film, settings)
    path = images / film.image_id
    if not cv2.imwrite(str(path), picture.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3]):
        raise OSError(f"{path} could not be written")
    return picture.lesions


def _table_row(film: Film) -> str:
    """A row of the release's table."""
    width, height, spacing_mm = DETECTORS[film.view][film.patient % 2]
    labels = "|".join(film.labels)
    about = f"{film.follow_up},{film.patient},{film.age_years},{film.sex},{film.view}"
    return f"{film.image_id},{labels},{about},{width},{height},{spacing_mm},{spacing_mm}"


def _write_lists(folder: Path, films: Sequence[Film], settings: PhantomSettings) -> None:
    """Write the official parts."""
    test = choose_test_patients(films, settings.seed)
    _write_lines(folder / TRAINING_LIST, [film.image_id for film in films if film.patient not in test])
    _write_lines(folder / TEST_LIST, [film.image_id for film in films if film.patient in test])


def _write_truth(folder: Path, films: Sequence[Film], lesions: Sequence[tuple[Film, Lesion]]) -> None:
    """Write truth, lesions, and the release's own box list."""
    truth_table(films).write_parquet(folder / TRUTH)
    columns = list(Lesion.__dataclass_fields__)
    rows = [
        {"image_id": film.image_id, **{name: getattr(lesion, name) for name in columns}} for film, lesion in lesions
    ]
    schema = {"image_id": pl.String, "finding": pl.String} | dict.fromkeys(columns[1:], pl.Float32)
    pl.DataFrame(rows, schema=schema).write_parquet(folder / LESIONS)
    boxed = [_box_row(film, lesion) for film, lesion in lesions if lesion.finding in BOXED]
    _write_lines(folder / BOXES, [BOXES_HEADER, *boxed])


def _box_row(film: Film, lesion: Lesion) -> str:
    """A row of the release's box list, in pixels of its frame and in its spelling."""
    name = {"Infiltration": "Infiltrate"}.get(lesion.finding, lesion.finding)
    x, y, width, height = (
        round(value * BOXES_FRAME_PX, 6) for value in (lesion.x, lesion.y, lesion.width, lesion.height)
    )
    return f"{film.image_id},{name},{x},{y},{width},{height}"


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write lines, each ended by a newline."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
