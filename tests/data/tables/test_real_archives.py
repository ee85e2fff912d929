"""Real label files of other archives, against counts of a few lines of plain Python."""

import ast
import csv
import gzip
import io
import json
import zipfile
from collections import Counter, defaultdict
from types import SimpleNamespace

import pytest

from cxrbench.config import changed, load_format
from cxrbench.data.tables import read_label_table


@pytest.fixture(scope="module")
def archives(shared):
    return shared("archives")


def rows_of(path):
    """The rows of a CSV, packed or not, as Python's own reader gives them."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            text = packed.read(packed.namelist()[0]).decode()
    else:
        text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def counts(table, finding):
    """Present, absent, not stated."""
    column = table[finding]
    return int((column == 1).sum()), int((column == 0).sum()), column.null_count()


def counted(images, stated):
    """The same of plain Python: ``stated`` says of each image True, False or None."""
    values = Counter(stated(image) for image in images)
    return values[True], values[False], values[None]


@pytest.fixture(scope="module")
def chexpert(archives):
    rows = rows_of(archives / "chexpert" / "train.csv.gz")
    return SimpleNamespace(
        path=archives / "chexpert" / "train.csv.gz", frontal=[r for r in rows if r["Frontal/Lateral"] == "Frontal"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blank", "uncertain", "atelectasis"),
    [
        ("absent", "ignore", (29_720, 1_025 + 130_419, 29_863)),
        ("unstated", "ignore", (29_720, 1_025, 29_863 + 130_419)),
        ("unstated", "zeros", (29_720, 1_025 + 29_863, 130_419)),
        ("unstated", "ones", (29_720 + 29_863, 1_025, 130_419)),
        ("absent", "ones", (29_720 + 29_863, 1_025 + 130_419, 0)),
    ],
)
def test_chexpert_by_each_label_policy(chexpert, blank, uncertain, atelectasis):
    policy = {"blank": blank, "uncertain": uncertain, "no_finding": "as stated"}
    form = changed(load_format("chexpert"), {"labels.policy": policy}, where="test")
    read = read_label_table([chexpert.path], form=form)
    assert counts(read.table, "Atelectasis") == atelectasis
    meaning = {"1.0": True, "0.0": False, "": {"absent": False, "unstated": None}[blank]}
    meaning["-1.0"] = {"ignore": None, "zeros": False, "ones": True}[uncertain]
    for finding in read.vocabulary.names:
        assert counts(read.table, finding) == counted(chexpert.frontal, lambda row, name=finding: meaning[row[name]])


def test_chexpert_says_how_many_films_patients_and_uncertain_cells_there_are(chexpert):
    read = read_label_table([chexpert.path])
    assert read.table.height == len(chexpert.frontal) == 191_027
    assert read.table["patient_id"].n_unique() == len({row["Path"].split("/")[2] for row in chexpert.frontal})
    assert read.tally.filter(finding="Atelectasis").row(0)[1:] == (29_720, 1_025, 29_863, 130_419)
    assert "32,387 rows skipped by Frontal/Lateral: Lateral 32,387" in read.notes
    assert read.table["image_id"].n_unique() == 191_027
    views = Counter(row["AP/PA"] for row in chexpert.frontal)
    assert dict(read.table["view"].value_counts().iter_rows()) == views


def test_a_no_finding_that_is_only_ever_positive_gets_its_negatives(chexpert):
    form = changed(load_format("chexpert"), {"labels.policy.blank": "unstated"}, where="test")
    read = read_label_table([chexpert.path], form=form)
    pathologies = [name for name in read.vocabulary.pathologies if name != "No Finding"]
    has_any = [any(row[name] == "1.0" for name in pathologies) for row in chexpert.frontal]
    positive = sum(row["No Finding"] == "1.0" for row in chexpert.frontal)
    negative = sum(has for row, has in zip(chexpert.frontal, has_any, strict=True) if row["No Finding"] == "")
    assert counts(read.table, "No Finding")[:2] == (positive, negative)


def test_padchest(archives):
    (path,) = (archives / "padchest").iterdir()
    read = read_label_table([path])
    skipped = {"L", "COSTAL", "EXCLUDE", "UNK"}
    rows = [row for row in rows_of(path) if row["Projection"] not in skipped]
    lists = [ast.literal_eval(row["Labels"]) if row["Labels"] != "nan" else [] for row in rows]
    named = [{item.strip() for item in items} - {"", "unchanged"} for items in lists]
    kept = [(row, names) for row, names in zip(rows, named, strict=True) if not names & {"exclude", "suboptimal study"}]
    assert read.table.height == len(kept) == 9_156
    assert read.table["patient_id"].n_unique() == len({row["PatientID"] for row, _ in kept})
    for finding in read.vocabulary.names:
        assert counts(read.table, finding) == counted(
            kept, lambda image, name=finding: name in image[1] if image[1] else None
        ), finding
    ages = {
        row["ImageID"]: int(row["StudyDate_DICOM"][:4]) - int(float(row["PatientBirth"]))
        for row, _ in kept
        if row["PatientBirth"] not in {"nan", ""}
    }
    ours = dict(read.table.select("image_id", "age_years").iter_rows())
    assert all(ours[image] == (age if 0 <= age <= 120 else None) for image, age in ages.items())


def test_padchest_as_findings_of_nih_by_exact_name(archives):
    from cxrbench.config import load_vocabulary  # noqa: PLC0415

    (path,) = (archives / "padchest").iterdir()
    table = read_label_table([path], form=load_format("padchest"), vocabulary=load_vocabulary()).table
    names = {
        row["ImageID"]: {item.strip() for item in ast.literal_eval(row["Labels"])}
        for row in rows_of(path)
        if row["Labels"] != "nan"
    }
    for ours, theirs in {"Nodule": {"nodule", "multiple nodules"}, "Emphysema": {"emphysema"}}.items():
        assert counts(table, ours)[0] == sum(bool(names.get(image, set()) & theirs) for image in table["image_id"])


@pytest.mark.parametrize(("vote", "needed", "cardiomegaly"), [("any", 1, 2_300), ("majority", 2, 1_817), (3, 3, None)])
def test_vindr_by_each_vote(archives, vote, needed, cardiomegaly):
    path = archives / "vindr" / "vinbigdata-train.csv.gz"
    said = defaultdict(set)
    for row in rows_of(path):
        said[row["image_id"], row["class_name"]].add(row["rad_id"])
    form = changed(load_format("vindr"), {"readers.vote": vote}, where="test")
    read = read_label_table([path], form=form)
    assert read.table.height == 15_000
    for finding in read.vocabulary.names:
        present = sum(len(readers) >= needed for (_, name), readers in said.items() if name == finding)
        assert counts(read.table, finding) == (present, 15_000 - present, 0)
    assert cardiomegaly in {None, counts(read.table, "Cardiomegaly")[0]}
    assert "17 readers, 3 an image" in " ".join(read.notes)
    agreed = read.votes.filter(finding="Cardiomegaly", present=3).height
    assert agreed == sum(len(readers) == 3 for (_, name), readers in said.items() if name == "Cardiomegaly")


def test_rsna(archives):
    path = archives / "rsna" / "kaggle_stage_2_train_labels.csv.zip"
    present = defaultdict(bool)
    for row in rows_of(path):
        present[row["patientId"]] |= row["Target"] == "1"
    table = read_label_table([path]).table
    assert table.height == len(present) == 26_684
    assert counts(table, "Pneumonia") == (sum(present.values()), 26_684 - 6_012, 0) == (6_012, 20_672, 0)
    headers = {row["PatientID"]: row for row in rows_of(next(path.parent.glob("*headers*")))}
    ages = {image: int(headers[image]["PatientAge"]) for image in present}
    assert dict(table.select("image_id", "age_years").iter_rows()) == {
        image: age if age <= 120 else None for image, age in ages.items()
    }
    assert Counter(table["sex"]) == Counter(headers[image]["PatientSex"] for image in present)


def test_siim(archives):
    path = archives / "siim" / "siim-pneumothorax-train-rle.csv.gz"
    rows = rows_of(path)
    present = {row["ImageId"] for row in rows if row[" EncodedPixels"].strip() != "-1"}
    table = read_label_table([path]).table
    images = len({row["ImageId"] for row in rows})
    assert counts(table, "Pneumothorax") == (len(present), images - len(present), 0) == (2_669, 12_047 - 2_669, 0)


def test_open_i(archives):
    reports = {row["uid"]: row for row in rows_of(archives / "openi" / "indiana_reports.csv")}
    frontal = [row for row in rows_of(archives / "openi" / "indiana_projections.csv") if row["projection"] == "Frontal"]
    read = read_label_table([archives / "openi"])
    assert read.table.height == len(frontal) == 3_818
    assert read.table["patient_id"].n_unique() == len({row["uid"] for row in frontal})
    nothing = {"No Indexing", "Technical Quality of Image Unsatisfactory"}
    named = [{name.strip() for name in reports[row["uid"]]["Problems"].split(";")} - nothing - {""} for row in frontal]
    for finding in ("Opacity", "Fractures, Bone", "Hernia, Hiatal", "Pneumothorax", "normal"):
        assert counts(read.table, finding) == counted(
            named, lambda names, name=finding: name in names if names else None
        )


def test_chestx_det(archives):
    folder = archives / "chestxdet"
    records = {part: json.loads((folder / f"ChestX_Det_{part}.json").read_text()) for part in ("train", "test")}
    read = read_label_table([folder])
    assert dict(read.parts["part"].value_counts().iter_rows()) == {"train": 3_025, "test": 553}
    every = [record for of_part in records.values() for record in of_part]
    for finding in read.vocabulary.names:
        assert counts(read.table, finding) == counted(every, lambda record, name=finding: name in record["syms"])


def test_covid_chestxray(archives):
    path = archives / "covid-chestxray" / "metadata.csv"
    rows = [row for row in rows_of(path) if row["modality"] == "X-ray" and row["view"] != "L"]
    read = read_label_table([path])
    assert read.table.height == len(rows)
    nothing = {"todo", "Unknown"}
    named = [{name.strip() for name in row["finding"].split(",")} - nothing for row in rows]
    for finding in ("COVID-19", "ARDS", "SARS", "No Finding"):
        assert counts(read.table, finding) == counted(
            named, lambda names, name=finding: name in names if names else None
        )


def test_both_spellings_of_the_kaggle_sample(archives):
    tables = [
        read_label_table([path]).table.drop("patient_id", "follow_up").sort("image_id")
        for path in sorted((archives / "nih-kaggle-sample").iterdir())
    ]
    rows = rows_of(archives / "nih-kaggle-sample" / "sample_labels.csv")
    assert tables[0].equals(tables[1])
    for finding in ("Hernia", "Pleural_Thickening", "No Finding"):
        named = [row["Finding Labels"].split("|") for row in rows]
        assert counts(tables[0], finding) == counted(named, lambda names, name=finding: name in names)


def test_adjudicated_labels_of_nih(shared):
    path = shared("nih-sample") / "google2019_nih-chest-xray-labels.csv"
    read = read_label_table([path])
    rows = rows_of(path)
    assert dict(read.parts["part"].value_counts().iter_rows()) == {"val": 2_414, "test": 1_962}
    for finding in read.vocabulary.names:
        assert counts(read.table, finding) == counted(
            rows, lambda row, name=finding: {"YES": True, "NO": False}[row[name]]
        )


def test_kermany(shared):
    folder = shared("kermany")
    table = read_label_table([folder], form=load_format("kermany")).table
    films = list(folder.rglob("*.jpeg"))
    assert table.height == len(films) == 5_856
    assert (
        counts(table, "Pneumonia") == counted(films, lambda path: path.parent.name == "PNEUMONIA") == (4_273, 1_583, 0)
    )


def test_one_hot_labels_of_a_reimplementation(archives):
    """NIH's labels with a column per finding, as a format of today's form reads them."""
    from cxrbench.config import TableFormat, load_vocabulary  # noqa: PLC0415

    path = archives / "chexnet-keras" / "dev.csv"
    form = TableFormat.model_validate(
        {
            "name": "chexnet-keras",
            "image_id": "Image Index",
            "patient_id": "Patient ID",
            "labels": {"columns": "by name", "policy": {"no_finding": "derived"}},
            "vocabulary": "nih15",
        }
    )
    table = read_label_table([path], form=form).table
    rows = rows_of(path)
    for finding in load_vocabulary().names:
        assert counts(table, finding) == counted(
            rows, lambda row, name=finding: name in row["Finding Labels"].split("|")
        )
