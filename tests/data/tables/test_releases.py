"""Formats as values and as YAML."""

import pytest

from cxrbench.data.tables.releases import NIH, Column, read_format
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
    assert form.labels.separator == "|"
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
    ],
)
def test_a_broken_format_says_what_and_where(written, change, message):
    with pytest.raises(ConfigError, match=message):
        read_format(written(MINIMAL.replace(*change)))


def test_nih_knows_both_label_files_and_both_names_of_the_sex_column():
    assert NIH.files == ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
    assert NIH.sex == Column(name=("Patient Gender", "Patient Sex"))
