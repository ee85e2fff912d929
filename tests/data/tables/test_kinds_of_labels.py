"""Kinds of label files that people have: each is read right, or refused with the right advice."""

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.config import TableFormat, changed, load_vocabulary, read_format
from cxrbench.data.tables import read_label_table
from cxrbench.errors import ConfigError, DataError

COMMON = "name: ours\nimage_id: file\npatient_id: pid\n"
ONE_HOT = COMMON + "labels: {columns: {Edema: Edema, Mass: Mass}}\n"
LIST = COMMON + "labels: {column: findings}\n"


@pytest.fixture
def read(tmp_path):
    """Read a label file of the given content, as a YAML of the given text says."""

    def run(content, form, name="labels.csv"):
        path, described = tmp_path / name, tmp_path / "form.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        described.write_text(form, encoding="utf-8")
        return read_label_table([path], form=read_format(described))

    return run


def present(table):
    """The findings of each image, by its id."""
    names = [name for name in table.columns if table.schema[name] == pl.Int8]
    return {row["image_id"]: {name for name in names if row[name] == 1} for row in table.rows(named=True)}


@pytest.mark.parametrize(
    ("true", "false"),
    [("1", "0"), ("1.0", "0.0"), ("1,0", "0,0"), ("True", "FALSE"), ("yes", "No"), ("Y", "n"), ("positive", "neg")],
)
def test_any_spelling_of_true_and_false(read, true, false):
    table = read(f'file;pid;Edema;Mass\na.png;1;"{true}";"{false}"\n', ONE_HOT).table
    assert table.select("Edema", "Mass").row(0) == (1, 0)


def test_words_that_yaml_takes_for_truth_values(read):
    form = COMMON + "labels: {columns: {Edema: Edema, Mass: Mass}, present: [yes], absent: [no]}\n"
    assert read("file,pid,Edema,Mass\na.png,1,yes,No\n", form).table.select("Edema", "Mass").row(0) == (1, 0)


def test_own_words_go_before_the_usual_ones(read):
    form = COMMON + 'labels: {columns: {Edema: Edema, Mass: Mass}, present: ["0"], absent: ["1"]}\n'
    assert read("file,pid,Edema,Mass\na.png,1,0,1\n", form).table.select("Edema", "Mass").row(0) == (1, 0)


def test_a_blank_cell_may_be_named_absent(read):
    form = COMMON + 'labels: {columns: {Edema: Edema, Mass: Mass}, absent: ["0", ""]}\n'
    assert read("file,pid,Edema,Mass\na.png,1,1.0,\n", form).table.select("Edema", "Mass").row(0) == (1, 0)


def test_a_policy_per_finding(read):
    policy = "policy: {blank: absent, uncertain: ones, findings: {Mass: {blank: unstated, uncertain: ignore}}}"
    form = COMMON + f"labels: {{columns: {{Edema: Edema, Mass: Mass}}, {policy}}}\n"
    read_ = read("file,pid,Edema,Mass\na,1,-1,-1\nb,2,,\nc,3,0,1\n", form)
    assert read_.table.select("Edema", "Mass").rows() == [(1, None), (0, None), (0, 1)]
    assert read_.tally.rows() == [("Edema", 0, 1, 1, 1), ("Mass", 1, 0, 1, 1)]
    assert read_.notes[1] == (
        "label policy: 1 row without labels taken as absent, 2 uncertain cells taken as present; its own for Mass"
    )


def test_a_policy_for_an_unknown_finding_is_refused(read):
    form = COMMON + "labels: {columns: {Edema: Edema}, policy: {findings: {Edem: {blank: absent}}}}\n"
    with pytest.raises(ConfigError, match=r"labels\.policy\.findings: unknown finding 'Edem'; did you mean Edema"):
        read("file,pid,Edema\na,1,1\n", form)


def test_no_finding_and_findings_imply_each_other(read):
    form = COMMON + "labels: {columns: {Edema: Edema, No Finding: No Finding}}\n"
    table = read("file,pid,No Finding,Edema\na,1,1,\nb,2,,1\nc,3,,\n", form).table
    assert table.select("No Finding", "Edema").rows() == [(1, 0), (0, 1), (None, None)]
    as_stated = form.replace("No Finding}}", "No Finding}, policy: {no_finding: as stated}}")
    table = read("file,pid,No Finding,Edema\na,1,1,\nb,2,,1\n", as_stated).table
    assert table.select("No Finding", "Edema").rows() == [(1, None), (None, 1)]


def test_no_finding_may_be_derived(read):
    form = COMMON + "labels: {columns: {Edema: Edema, Mass: Mass}, policy: {no_finding: derived}}\n"
    read_ = read("file,pid,Edema,Mass\na,1,0,0\nb,2,1,\nc,3,,0\n", form)
    assert read_.vocabulary.names == ("Edema", "Mass", "No Finding")
    assert read_.table["No Finding"].to_list() == [1, 0, None]


@pytest.mark.parametrize(
    "cell",
    ["['Effusion', ' Mass']", '["Effusion", "Mass"]', "['Effusion' 'Mass']", "('Effusion', 'Mass')", "Effusion|mass"],
)
def test_lists_as_python_json_and_numpy_write_them(read, cell):
    for labels in ("{column: findings}", '{column: findings, separator: ",", ignore_others: true}'):
        if "|" in cell and "," in labels:
            continue
        quoted = '"' + cell.replace('"', '""') + '"'
        table = read(f"file,pid,findings\na.png,1,{quoted}\n", f"{COMMON}labels: {labels}\n").table
        assert present(table) == {"a.png": {"Effusion", "Mass"}}


def test_another_separator_gets_the_advice_and_not_an_empty_table(read):
    form = COMMON + "labels: {column: findings, ignore_others: true}\n"
    message = "line 2: 'Effusion;Mass' looks like several findings; set labels.separator: ';'"
    with pytest.raises(DataError, match=re.escape(message)):
        read("file,pid,findings\na.png,1,Effusion;Mass\nb.png,2,Effusion\n", form)


def test_a_file_in_which_no_name_is_known_is_an_error(read):
    form = COMMON + "labels: {column: findings, ignore_others: true}\n"
    with pytest.raises(DataError, match=r"the vocabulary 'nih15' knows none of its findings \(Bruch 2, Gips 1\)"):
        read("file,pid,findings\na.png,1,Bruch|Gips\nb.png,2,Bruch\n", form)
    by_name = COMMON + "labels: {columns: by name}\nvocabulary: [Fracture]\n"
    with pytest.raises(DataError, match="knows none of the findings that have columns"):
        read("file,pid,Bruch\na.png,1,1\n", by_name)


@pytest.mark.parametrize("name", ["neumon\u00eda", "neumoni\u0301a", "NEUMONI\u0301A"])
def test_accents_in_either_form(read, name):
    form = COMMON + 'labels: {column: findings, separator: ";", names: {neumonía: Pneumonia}}\n'
    table = read(f"file,pid,findings\na.png,1,{name}\n", form).table
    assert present(table) == {"a.png": {"Pneumonia"}}


@pytest.mark.parametrize(
    "name", ["Pleural_Thickening", "pleural thickening", "PleuralThickening", "pleural-thickening"]
)
def test_names_with_and_without_what_links_their_words(read, name):
    assert present(read(f"file,pid,findings\na.png,1,{name}\n", LIST).table) == {"a.png": {"Pleural_Thickening"}}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_are_detected(read, encoding):
    content = "file,pid,findings\nä.png,1,Effusion\n".encode(encoding)
    assert present(read(content, LIST).table) == {"ä.png": {"Effusion"}}


def test_a_guessed_encoding_is_said_and_may_be_named(read):
    content = "file,pid,findings\nKöln.png,1,Effusion\n".encode("cp1252")
    read_ = read(content, LIST)
    assert present(read_.table) == {"Köln.png": {"Effusion"}}
    assert "labels.csv is not UTF-8; read as cp1252" in read_.notes
    named = read("file,pid,findings\nŁ.png,1,Mass\n".encode("cp1250"), LIST + "encoding: cp1250\n")
    assert present(named.table) == {"Ł.png": {"Mass"}}
    with pytest.raises(DataError, match="no encoding is called 'klingon'"):
        read(content, LIST + "encoding: klingon\n")


def test_a_title_above_the_header(read):
    content = "Export of our PACS;;\n2024-01-01;;\n\nfile;pid;findings\na.png;1;Effusion\n"
    read_ = read(content, LIST)
    assert present(read_.table) == {"a.png": {"Effusion"}}
    assert "labels.csv: 3 lines above the header skipped" in read_.notes
    with pytest.raises(DataError, match="line 5: unknown finding 'Efusion'"):
        read(content.replace("Effusion", "Efusion"), LIST)


def test_a_delimiter_that_is_another_gets_the_advice(read):
    with pytest.raises(DataError, match=r"lacks the column 'file'.*Its cells are separated by ';'"):
        read("file;pid;findings\na.png;1;Mass\n", LIST + 'delimiter: ","\n')


def test_years_of_birth_are_no_ages(read):
    with pytest.raises(DataError, match=r"column 'birth' holds years or dates \(1930\.0\), not ages; give born: birth"):
        read("file,pid,birth,Edema,Mass\na,1,1930.0,1,0\n", ONE_HOT + "age_years: birth\n")
    content = "file,pid,birth,study,Edema,Mass\na,1,1930.0,20140915,1,0\nb,2,1992-03-01,2014,1,0\nc,3,,2014,1,0\n"
    table = read(content, ONE_HOT + "born: birth\nseen: study\n").table
    assert table["age_years"].to_list() == [84.0, 22.0, None]
    with pytest.raises(ConfigError, match="an age needs both: born"):
        read(content, ONE_HOT + "born: birth\n")


def test_ids_stay_text_and_near_doubles_are_said(read):
    read_ = read("file,pid,Edema,Mass\na,007,1,0\nb,7,1,0\nc,7.0,1,0\nd,8,0,0\n", ONE_HOT)
    assert read_.table["patient_id"].to_list() == ["007", "7", "7.0", "8"]
    assert read_.notes[-1] == "3 patient_ids differ only by zeros or '.0' ('007', '7', '7.0') and are kept apart"


def test_several_id_columns_are_put_together_or_refused(read):
    content = "subject,study,dicom,Edema,Mass\n10000032,50414267,02aa,1,0\n"
    form = ONE_HOT.replace("pid", "subject")
    with pytest.raises(DataError, match=r'put them together: image_id: "\{subject\}/\{study\}/\{dicom\}"'):
        read(content, form.replace("image_id: file", "image_id: [subject, study, dicom]"))
    together = form.replace("image_id: file", 'image_id: "p{subject}/s{study}/{dicom}.jpg"')
    assert read(content, together).table["image_id"].to_list() == ["p10000032/s50414267/02aa.jpg"]


READERS = "file,pid,reader,Edema,Mass\na.png,1,R1,1,0\na.png,1,R2,0,0\na.png,1,R3,1,0\nb.png,2,R1,,1\nb.png,2,R2,,0\n"


def test_several_readers_are_not_taken_for_a_mistake_without_advice(read):
    with pytest.raises(DataError, match=r"they differ in 'reader', 'Edema'\).*readers: \{column: \.\.\.\}"):
        read(READERS.partition("b.png")[0], ONE_HOT)


@pytest.mark.parametrize(
    ("vote", "expected"),
    [("any", [(1, 0), (None, 1)]), ("majority", [(1, 0), (None, 0)]), ("3", [(0, 0), (None, 0)])],
)
def test_readers_vote(read, vote, expected):
    read_ = read(READERS, f"{ONE_HOT}readers: {{column: reader, vote: {vote}}}\n")
    assert read_.table.select("Edema", "Mass").rows() == expected
    assert read_.votes.filter(image_id="a.png", finding="Edema").rows() == [("a.png", "Edema", 2, 3)]
    assert "3 readers, 2 to 3 an image" in " ".join(read_.notes)


def test_an_image_of_two_patients_is_refused(read):
    content = "file,pid,Edema,Mass\na.png,1,1,0\na.png,2,1,0\n"
    with pytest.raises(DataError, match=r"lines 2 and 3: image a\.png is of patients 1 and 2 \(1 such image\)"):
        read(content, ONE_HOT + "rows: box\n")


def test_part_of_a_name_as_label(read):
    form = (
        "name: Shenzhen\nimage_id: file\npatient_id: {name: file, pattern: '^(CHNCXR_\\d+)'}\n"
        "labels: {columns: {Tuberculosis: {name: file, pattern: '_([01])\\.png$'}}}\n"
    )
    table = read("file\nCHNCXR_0001_0.png\nCHNCXR_0327_1.png\n", form).table
    assert table.select("patient_id", "Tuberculosis").rows() == [("CHNCXR_0001", 0), ("CHNCXR_0327", 1)]


def test_a_format_based_on_a_packaged_one(read):
    header = "Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(load_vocabulary("chexpert14").names)
    line = "CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg,Male,50,Frontal,AP" + ",-1.0" * 14
    ones = read(f"{header}\n{line}\n", "based_on: chexpert\nlabels: {policy: {uncertain: ones}}\n")
    assert ones.table["Edema"].to_list() == [1]
    assert ones.form.name == "CheXpert"


def test_a_form_of_ones_own_hears_of_the_packaged_one(read):
    content = "image_id,class_name,class_id,rad_id,x_min\na,Cardiomegaly,3,R1,1\n"
    form = "name: mine\nimage_id: image_id\npatient_id: image_id\nlabels: {column: class_name, ignore_others: true}\n"
    assert "the columns are those of the packaged format vindr; --format vindr reads them" in read(content, form).notes
    with pytest.raises(DataError, match=r"lists 1 image more than once.*--format vindr$"):
        read(content + "a,Cardiomegaly,3,R2,1\n", form)


def test_tables_of_today_in_parquet_feather_and_json(tmp_path):
    frame = pl.DataFrame({"file": ["a", "b"], "pid": [1, 2], "findings": [["Mass"], ["Effusion", "Nodule"]]})
    form = TableFormat.model_validate(
        {"name": "ours", "image_id": "file", "patient_id": "pid", "labels": {"column": "findings"}}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ipc(tmp_path / "t.feather")
    frame.write_json(tmp_path / "t.json")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for name in ("t.parquet", "t.feather", "t.json", "t.jsonl"):
        table = read_label_table([tmp_path / name], form=form).table
        assert present(table) == {"a": {"Mass"}, "b": {"Effusion", "Nodule"}}
        assert table["patient_id"].to_list() == ["1", "2"]


RIGHT = pl.DataFrame(
    {
        "image_id": ["p1/ä 1.png", "p1/2.png", "p2/3.png"],
        "patient_id": ["0017", "0017", "18"],
        "age": ["58,5", None, "7"],
        "Edema": ["1", "0", None],
        "Pleural Thickening": [None, "1", "0"],
    }
)
FORM = TableFormat.model_validate(
    {
        "name": "ours",
        "image_id": "image_id",
        "patient_id": "patient_id",
        "age_years": "age",
        "labels": {"columns": {"Edema": "Edema", "Pleural Thickening": "Pleural Thickening"}},
    }
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("mangled")


@pytest.fixture(scope="module")
def expected(scratch):
    RIGHT.write_csv(scratch / "right.csv")
    return read_label_table([scratch / "right.csv"], form=FORM).table


@given(
    columns=st.permutations(RIGHT.columns),
    rows=st.permutations(range(RIGHT.height)),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    title=st.sampled_from(["", "Export\n", "Export of today\n\n"]),
    spelling=st.sampled_from([str, str.upper, lambda name: name.replace("_", " "), lambda name: f" {name} "]),
    blank=st.sampled_from(["", " ", "nan"]),
    true=st.sampled_from(["1", "1.0", "TRUE", "yes"]),
    blank_lines=st.booleans(),
)
def test_a_mangled_table_is_read_as_the_right_one(  # noqa: PLR0917
    scratch, expected, columns, rows, delimiter, encoding, newline, title, spelling, blank, true, blank_lines
):
    def cell(name, value):
        text = {None: blank, "1": true if name in {"Edema", "Pleural Thickening"} else "1"}.get(value, value)
        return f'"{text}"' if delimiter in text else text

    lines = [delimiter.join(spelling(name) for name in columns)]
    for row in rows:
        lines += [delimiter.join(cell(name, RIGHT[name][row]) for name in columns)] + [""] * blank_lines
    text = (title if spelling is str else "") + "\n".join(lines) + "\n"
    path = scratch / "mangled.csv"
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    assert read_label_table([path], form=FORM).table.equals(expected)


def test_a_change_of_a_packaged_format_goes_by_path():
    form = changed(read_format("chexpert"), {"labels.policy.uncertain": "zeros"}, where="test")
    assert form.labels.policy.uncertain == "absent"
