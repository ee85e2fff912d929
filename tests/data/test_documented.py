"""The user guide's formats and code, as they stand there."""

import re
from pathlib import Path

import pytest

from cxrbench.config import load_vocabulary, vocabulary_names
from cxrbench.data.tables import read_table
from cxrbench.data.tables.releases import TableFormat, read_format

GUIDE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)


@pytest.fixture
def written(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def test_the_example_of_a_hospital(written):
    table = read_table(written("labels.csv", blocks("csv")[0]), read_format(written("f.yaml", blocks("yaml")[0])))
    columns = ("patient_id", "age_years", "sex", "view", "Effusion", "Cardiomegaly", "Infiltration", "No Finding")
    assert table.select(columns).rows() == [
        ("P17", 61.0, "F", "PA", 1, 1, 0, 0),
        ("P17", 62.0, "F", "AP", 0, 0, 0, 1),
        ("P18", None, "M", "PA", 0, 0, 1, 0),
    ]


def test_the_example_of_chexpert(written):
    header = (
        "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,"
        "Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,"
        "Fracture,Support Devices"
    )
    path = "CheXpert-v1.0-small/train/patient00001/study1/view{}.jpg"
    frontal = f"{path.format('1_frontal')},Female,68,Frontal,AP,1.0,,0.0,,,-1.0,,,,0.0,1.0,,,1.0"
    lateral = f"{path.format('2_lateral')},Female,68,Lateral,,1.0,,,,,,,,,0.0,,,,1.0"
    labels = written("train.csv", f"{header}\n{frontal}\n{lateral}\n")
    (row,) = read_table(labels, read_format(written("f.yaml", blocks("yaml")[1]))).rows(named=True)
    assert row.items() >= {"patient_id": "00001", "view": "AP", "age_years": 68.0}.items()
    assert row.items() >= {"Cardiomegaly": 0, "Edema": None, "Effusion": 1, "Fracture": 0, "No Finding": 1}.items()
    assert "Hernia" not in row


def test_the_example_of_a_vocabulary(written):
    own = load_vocabulary(str(written("own.yaml", blocks("yaml")[2])))
    assert own.names == ("Effusion", "Rib fracture", "Pacemaker", "Normal")
    assert own.pathologies == ("Effusion", "Rib fracture")
    assert own["Effusion"].code == load_vocabulary()["Effusion"].code
    assert own.canonical("rippen-fraktur") == "Rib fracture"


def test_every_packaged_vocabulary_is_listed_with_how_many_findings_it_has():
    table = GUIDE[GUIDE.index("| packaged | findings |") : GUIDE.index("Write your own in YAML")]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(vocabulary_names())
    for name in ("padchest", "openi"):
        assert f"| `{name}` | {len(load_vocabulary(name).names)} " in table


def test_every_key_of_a_format_is_explained():
    table = GUIDE[GUIDE.index("| key | meaning |") : GUIDE.index("A column is a name")]
    explained = set(re.findall(r"`(\w+)`", table))
    assert set(TableFormat.model_fields) - {"source"} <= explained


def test_the_code_runs(release, monkeypatch, capsys):
    monkeypatch.chdir(release(40, name="archive").parent)
    (code,) = blocks("python")
    names = {}
    exec(compile(code, "docs/data.md", "exec"), names)  # noqa: S102 - the guide is ours
    assert names["pixels"].shape == (28, 64, 64)
    assert "all images" in capsys.readouterr().out
