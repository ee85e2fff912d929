"""The user guide's formats and code, as they stand there."""

import re
from pathlib import Path

import pytest

from cxrbench.config import LabelPolicy, TableFormat, format_names, load_vocabulary, read_format, vocabulary_names
from cxrbench.data.tables import read_table

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
    table = read_table(written("labels.csv", blocks("csv")[0]), read_format(written("f.yaml", blocks("yaml")[1])))
    columns = ("patient_id", "age_years", "sex", "view", "Effusion", "Cardiomegaly", "Infiltration", "No Finding")
    assert table.select(columns).rows() == [
        ("P17", 61.0, "F", "PA", 1, 1, 0, 0),
        ("P17", 62.0, "F", "AP", 0, 0, 0, 1),
        ("P18", None, "M", "PA", 0, 0, 1, 0),
    ]


def test_the_example_of_another_policy(written):
    form = read_format(written("f.yaml", blocks("yaml")[0]))
    assert (form.name, form.labels.policy.blank, form.labels.policy.uncertain) == ("CheXpert", "absent", "absent")
    assert form.labels.policy.findings["Atelectasis"].uncertain == "present"


def test_the_example_of_readers(written):
    text = (
        "study,image,birth,date,plane,reader,heart,effusion,normal\n"
        "P1-a,1.png,1950,20200301,frontal,A,yes,poss.,\n"
        "P1-a,1.png,1950,20200301,frontal,B,yes,no,\n"
        "P1-a,1.png,1950,20200301,frontal,C,no,no,1\n"
        "P1-a,2.png,1950,20200301,lateral,A,yes,no,\n"
    )
    (row,) = read_table(written("reads.csv", text), read_format(written("f.yaml", blocks("yaml")[2]))).rows(named=True)
    assert row.items() >= {"image_id": "P1-a/1.png", "patient_id": "P1", "age_years": 70.0}.items()
    assert row.items() >= {"Cardiomegaly": 1, "Effusion": 0, "No Finding": 0}.items()


def test_the_example_of_classes_in_names(tmp_path, written):
    for name in ("CHNCXR_0001_0", "CHNCXR_0327_1"):
        (tmp_path / "films").mkdir(exist_ok=True)
        (tmp_path / "films" / f"{name}.png").touch()
    table = read_table(tmp_path / "films", read_format(written("f.yaml", blocks("yaml")[3])))
    assert table.select("patient_id", "Tuberculosis").rows() == [("CHNCXR_0001", 0), ("CHNCXR_0327", 1)]


def test_the_example_of_a_vocabulary(written):
    own = load_vocabulary(str(written("own.yaml", blocks("yaml")[4])))
    assert own.names == ("Effusion", "Rib fracture", "Pacemaker", "Normal")
    assert own.pathologies == ("Effusion", "Rib fracture")
    assert own["Effusion"].code == load_vocabulary()["Effusion"].code
    assert own.canonical("rippen-fraktur") == "Rib fracture"


def test_every_packaged_format_is_listed():
    table = GUIDE[GUIDE.index("| format | archive |") : GUIDE.index("This project never saw")]
    assert set(re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE)) == set(format_names())


def test_every_policy_is_explained():
    table = GUIDE[GUIDE.index("| key of `labels") : GUIDE.index("Another policy is")]
    assert set(re.findall(r"^\| `(\w+)` ", table, re.MULTILINE)) == set(LabelPolicy.model_fields)


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
