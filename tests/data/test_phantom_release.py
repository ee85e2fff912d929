"""The generated release as a folder: its layout, and that equal settings give equal bytes."""

from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from cxrbench.data.phantom import PhantomSettings, generate_release, ideal_auc
from cxrbench.data.phantom.epidemiology import NO_FINDING, PATHOLOGIES
from cxrbench.data.phantom.population import Film
from cxrbench.data.phantom.release import choose_test_patients
from cxrbench.data.tables import read_archive
from cxrbench.errors import DataError
from cxrbench.files import digest_file

NIH = (*PATHOLOGIES, NO_FINDING)

SETTINGS = PhantomSettings(patients=12, seed=4, size_px=64, detail_px=32, prevalence_scale=3.0, label_noise=0.1)
COLUMNS = [
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
    "OriginalImage[Width",
    "Height]",
    "OriginalImagePixelSpacing[x",
    "y]",
]


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): digest_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "release"
    generate_release(folder, SETTINGS)
    return folder


@pytest.fixture(scope="module")
def table(folder) -> pl.DataFrame:
    return pl.read_csv(folder / "Data_Entry_2017_v2020.csv", infer_schema=False)


def test_the_table_has_the_releases_columns(table):
    assert table.columns == COLUMNS
    assert table.null_count().sum_horizontal().item() == 0


def test_the_header_is_the_releases_own(folder, shared):
    for name in ("Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"):
        theirs = (shared("nih-sample") / name).read_text().splitlines()[0]
        assert (folder / name).read_text().splitlines()[0] == theirs


def test_the_table_is_read_as_nih(folder, table):
    archive = read_archive(folder)
    assert archive.table.height == table.height
    assert not archive.missing
    assert set(archive.table["view"]) <= {"PA", "AP"}
    assert archive.table["age_years"].is_between(0, 100).all()
    assert archive.table.select(NIH).null_count().sum_horizontal().item() == 0


def test_every_image_is_there_and_none_besides(folder, table):
    assert {path.name for path in (folder / "images").iterdir()} == set(table["Image Index"])
    assert table["Image Index"].is_unique().all()


def test_images_are_grey_pngs_of_the_wanted_size(folder, table):
    for name in table["Image Index"]:
        pixels = cv2.imread(str(folder / "images" / name), cv2.IMREAD_UNCHANGED)
        assert pixels.dtype == np.uint8
        assert pixels.shape[:2] == (64, 64)
        assert pixels.ndim == 2 or pixels.shape[2] == 4


def test_no_finding_is_exclusive(table):
    labels = table["Finding Labels"].str.split("|").to_list()
    assert all(len(cell) == 1 for cell in labels if NO_FINDING in cell)
    assert {name for cell in labels for name in cell} <= set(NIH)


def test_official_lists_split_the_patients(folder, table):
    parts = [(folder / name).read_text().split() for name in ("train_val_list.txt", "test_list.txt")]
    assert sorted(parts[0] + parts[1]) == sorted(table["Image Index"])
    patients = [{name.partition("_")[0] for name in part} for part in parts]
    assert patients[0]
    assert patients[1]
    assert not patients[0] & patients[1]


def test_boxes_lie_on_test_films_and_inside_the_frame(folder):
    lines = (folder / "BBox_List_2017.csv").read_text().splitlines()[1:]
    tested = set((folder / "test_list.txt").read_text().split())
    for line in lines:
        name, finding, *numbers = line.split(",")
        x, y, width, height = map(float, numbers)
        assert name in tested
        assert finding in {*NIH, "Infiltrate"} - {"Infiltration", "Edema", "Hernia"}
        assert 0 <= x < x + width <= 1024
        assert 0 <= y < y + height <= 1024


def test_truth_and_lesions_agree(folder, table):
    truth, lesions = pl.read_parquet(folder / "truth.parquet"), pl.read_parquet(folder / "lesions.parquet")
    assert truth.height == 14 * table.height
    visible = truth.filter(pl.col("visibility") > 0).select("image_id", "finding")
    assert set(visible.rows()) == set(lesions.select("image_id", "finding").rows())
    assert truth.filter(~pl.col("is_present"))["visibility"].max() == 0
    labelled = truth.filter("is_labelled").group_by("image_id").agg("finding")
    cells = dict(table.select("Image Index", "Finding Labels").iter_rows())
    assert all("|".join(names) == cells[image_id] for image_id, names in labelled.iter_rows())
    assert ideal_auc(truth).height == 15


def test_settings_are_kept(folder):
    assert PhantomSettings.model_validate_json((folder / "phantom.json").read_text()) == SETTINGS


def test_equal_settings_give_equal_bytes_whatever_the_workers(folder, tmp_path):
    generate_release(tmp_path / "again", SETTINGS, workers=2)
    assert digests(tmp_path / "again") == digests(folder)


def test_progress_is_shown_per_film(tmp_path, table):
    shown = []

    def track(items, *, total, label):
        for item in items:
            shown.append((total, label))
            yield item

    generate_release(tmp_path / "release", SETTINGS, track=track)
    assert shown == [(table.height, "drawing films")] * table.height


def test_an_existing_folder_is_refused_and_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="exists already; delete it or choose another folder"):
        generate_release(tmp_path, SETTINGS)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_nothing_is_left_of_a_release_that_could_not_be_finished(tmp_path):
    def failing(items, *, total, label):
        yield next(iter(items))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        generate_release(tmp_path / "release", SETTINGS, track=failing)
    assert list(tmp_path.iterdir()) == []


def test_films_of_a_killed_run_are_not_kept(tmp_path):
    stale = tmp_path / "release.partial" / "images" / "99999999_000.png"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of another seed")
    generate_release(tmp_path / "release", PhantomSettings(patients=2, size_px=64, detail_px=32))
    assert not (tmp_path / "release" / "images" / stale.name).exists()


def test_processes_end_before_what_they_wrote_is_cleared_away(tmp_path):
    def interrupting(items, *, total, label):
        yield next(iter(items))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_release(tmp_path / "release", SETTINGS, workers=2, track=interrupting)
    assert list(tmp_path.iterdir()) == []


def test_test_patients_have_more_films():
    rng = np.random.default_rng(0)
    counts = rng.choice([1, 2, 10], 500, p=[0.6, 0.3, 0.1])
    films = [Film(at + 1, k, 50, "M", "PA", (), (), ()) for at, count in enumerate(counts) for k in range(count)]
    test = choose_test_patients(films, seed=1)
    assert len(test) == 45
    assert np.mean([counts[patient - 1] for patient in test]) > 1.8 * counts.mean()
