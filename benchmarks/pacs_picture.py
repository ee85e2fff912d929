"""The heat map of docs/pacs.md: a generated film's, as it arrives in an archive.

    python benchmarks/pacs_picture.py FOLDER [--out FILE]

FOLDER is that of phantom_study.py. Its `large` becomes a bundle, which answers a test film as `cxrbench dicom
--method layer-cam` does: of those with one pneumothorax and nothing else, the one whose pneumothorax is largest.
"""

import argparse
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cxrbench.bundle import load_bundle  # noqa: E402
from cxrbench.bundle.making import make_bundle  # noqa: E402
from cxrbench.pacs import Answerer  # noqa: E402
from cxrbench.predict import Predictor  # noqa: E402
from cxrbench.runs import RunName, predictions_file  # noqa: E402
from dicom_film import write_film  # noqa: E402

FINDING = "Pneumothorax"
RUN = RunName("large", "resample-1", 0)
WIDTH, QUALITY = 640, 88


def clearest(folder: Path) -> dict[str, object]:
    """The row of the table of the test film that shows one lesion, the largest of the finding."""
    tested = pl.read_parquet(RUN.folder(folder / "study") / predictions_file("test"))["image_id"].to_list()
    lesions = pl.read_parquet(folder / "films" / "lesions.parquet").filter(pl.len().over("image_id") == 1)
    own = lesions.filter((pl.col("finding") == FINDING) & pl.col("image_id").is_in(tested))
    largest = own.sort(pl.col("width") * pl.col("height"), descending=True)["image_id"][0]
    return pl.read_parquet(folder / "study" / "table.parquet").filter(pl.col("image_id") == largest).row(0, named=True)


def picture(folder: Path, work: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: the first heat map of the film's answer."""
    row = clearest(folder)
    pixels = cv2.imread(str(folder / "films" / str(row["path"])), cv2.IMREAD_GRAYSCALE)
    age = f"{int(float(str(row['age_years']))):03}Y"
    known = {"PatientAge": age, "PatientSex": row["sex"], "ViewPosition": row["view"], "PatientBirthDate": None}
    film = write_film(work / "film.dcm", pixels, **known)
    bundle = load_bundle(make_bundle(folder / "study", [RUN], work / "bundle").folder)
    with closing(Answerer(Predictor(bundle), most_shown=1, method="layer-cam")) as answerer:
        return answerer.answer(film).captures[0].pixel_array


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "images" / "pacs.jpg")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        shown = picture(options.folder, Path(work))
    height = round(shown.shape[0] * WIDTH / shown.shape[1])
    small = cv2.resize(shown[..., ::-1], (WIDTH, height), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(options.out), small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    main()
