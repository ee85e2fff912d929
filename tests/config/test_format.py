"""Formats as values and as YAML."""

from importlib import metadata

import pytest

from cxrbench.config import Column, load_format, load_vocabulary, read_format
from cxrbench.config import format as format_module
from cxrbench.errors import ConfigError

MINIMAL = "name: ours\nimage_id: file\npatient_id: patient\nlabels: {column: findings}\n"


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "format.yaml").write_text(text)
        return tmp_path / "format.yaml"

    return write


def test_a_short_format(written):
    form = read_format(written(MINIMAL))
    assert form.image_id == Column(name=("file",))
    assert form.age_years is None
    assert form.labels.separator == ("|",)
    assert not form.is_sample


def test_a_column_may_have_several_names_or_a_pattern(written):
    text = (
        MINIMAL.replace("patient_id: patient", "patient_id: {name: path, pattern: '(p\\d+)'}") + "sex: [Sex, Gender]\n"
    )
    form = read_format(written(text))
    assert form.patient_id == Column(name=("path",), pattern=r"(p\d+)")
    assert form.sex == Column(name=("Sex", "Gender"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name: ours\n", ""), "key 'name' is missing"),
        (("image_id: file", "image: file"), r"format\.yaml: unknown key 'image'; valid keys here: .*image_id"),
        (("{column: findings}", "{}"), "give either column .* or columns"),
        (("{column: findings}", "{column: a, columns: {Mass: b}}"), "give either column .* or columns"),
        (("patient_id: patient", "patient_id: {name: a, pattern: 'p'}"), "exactly one group"),
        (("patient_id: patient", "patient_id: {name: a, pattern: '(p'}"), "exactly one group"),
        (("patient_id: patient", "patient_id: {name: a, pattern: '(?<=x)(p)'}"), "exactly one group"),
        (("name: ours", "sexes: {x: G}\nname: ours"), "sexes.x.*'G'"),
        (("name: ours", "name: [ours"), "broken YAML"),
        (
            ("name: ours", "vocabulary: nih14\nname: ours"),
            r"format\.yaml: vocabulary: unknown vocabulary 'nih14'; did",
        ),
        (
            ("name: ours", "vocabulary: [Mass, mass]\nname: ours"),
            r"vocabulary: .*two findings share the spelling 'm",
        ),
        (("name: ours", "vocabulary: absent.yaml\nname: ours"), r"vocabulary: .*/absent\.yaml: no such file"),
        (
            ("{column: findings}", "{columns: {Mass: a, mass: b}}"),
            r"labels\.columns: .*two findings share the",
        ),
        (("{column: findings}", "{columns: {view: a}}"), r"labels\.columns: .*tables use this name for something else"),
    ],
)
def test_a_broken_format_says_what_and_where(written, change, message):
    with pytest.raises(ConfigError, match=message):
        read_format(written(MINIMAL.replace(*change)))


COLUMNS = MINIMAL.replace("{column: findings}", "{columns: {Fracture: a, Pleural effusion: b}, names: {Fracture: Rib}}")


def test_a_list_states_the_papers_findings_and_columns_state_their_own(written):
    assert read_format(written(MINIMAL)).findings == load_vocabulary()
    own = read_format(written(COLUMNS)).findings
    assert (own.name, own.names) == ("ours", ("Rib", "Pleural effusion"))
    assert own["Pleural effusion"].coded == load_vocabulary()["Effusion"].coded


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("chexpert14", load_vocabulary("chexpert14").names),
        ("own.yaml", ("Fracture", "Mass")),
        ("[Fracture, {name: Clip, is_pathology: false}]", ("Fracture", "Clip")),
        ("{name: theirs, findings: [Fracture]}", ("Fracture",)),
    ],
)
def test_a_format_may_name_its_findings(written, tmp_path, given, names):
    (tmp_path / "own.yaml").write_text("name: own\nfindings: [Fracture, Mass]\n")
    for form in (MINIMAL, COLUMNS):
        assert read_format(written(f"{form}vocabulary: {given}\n")).findings.names == names


def test_nih_knows_both_label_files_and_both_names_of_the_sex_column():
    nih = load_format("nih")
    assert nih.files == ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
    assert nih.sex == Column(name=("Patient Gender", "Patient Sex"))


class Offered:
    """An entry point of another package."""

    name, value = "theirs", "package:FORMAT"

    def __init__(self, form):
        self.load = lambda: form


@pytest.fixture
def offered(monkeypatch):
    def offer(form):
        monkeypatch.setattr(
            metadata, "entry_points", lambda group, name="theirs": [Offered(form)] if name == "theirs" else []
        )
        format_module.load_format.cache_clear()

    yield offer
    format_module.load_format.cache_clear()


def test_another_package_may_offer_a_format(offered):
    theirs = load_format("nih").model_copy(update={"name": "theirs"})
    offered(theirs)
    assert "theirs" in format_module.format_names()
    assert read_format("theirs") == theirs
    offered("no format")
    with pytest.raises(ConfigError, match="package:FORMAT is a str, not a cxrbench TableFormat"):
        read_format("theirs")
