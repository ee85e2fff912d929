"""Findings of a label file -> label columns."""

import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.config import Labels, Vocabulary, load_vocabulary
from cxrbench.data.tables.labels import parse_labels
from cxrbench.data.tables.sheets import LINE
from cxrbench.errors import DataError

WHERE = Path("labels.csv")
NIH15 = load_vocabulary()
LISTS = Labels(column="labels")


def parse(cells, labels=LISTS, vocabulary=NIH15, **columns):
    sheet = pl.DataFrame({"labels": cells, **columns}, schema_overrides=dict.fromkeys(["labels", *columns], pl.String))
    return parse_labels(sheet.with_row_index(LINE, offset=2), labels, vocabulary=vocabulary, where=WHERE)


@given(
    rows=st.lists(st.sets(st.sampled_from(load_vocabulary().names), min_size=1), min_size=1, max_size=8),
    write=st.sampled_from(["|".join, " | ".join, lambda names: "|".join(names).upper()]),
    data=st.data(),
)
def test_a_list_says_present_for_what_it_names_and_absent_for_the_rest(rows, write, data):
    cells = [write(data.draw(st.permutations(sorted(row)))) for row in rows]
    table, _ = parse(cells)
    assert table.columns == list(load_vocabulary().names)
    assert set(table.dtypes) == {pl.Int8}
    for row, parsed in zip(rows, table.rows(named=True), strict=True):
        assert {name for name, value in parsed.items() if value == 1} == row
        assert set(parsed.values()) <= {0, 1}


def test_a_blank_cell_states_nothing():
    table, notes = parse(["Mass", None])
    assert set(table.row(1)) == {None}
    assert notes == ("label policy: 1 row without labels not stated",)


def test_an_unknown_finding_is_refused_with_its_line_and_the_valid_names():
    message = r"labels\.csv, line 3: unknown finding 'Fracture'; valid names: Atelectasis, .*, No Finding; 1 more is"
    with pytest.raises(DataError, match=message):
        parse(["Mass", "Nodule|Fracture", "Scoliosis"])


def test_a_misspelt_finding_is_answered_with_the_near_one():
    with pytest.raises(DataError, match=r"line 2: unknown finding 'Efusion'; did you mean Effusion\? valid names: "):
        parse(["Efusion"])
    with pytest.raises(DataError, match=r"labels\.columns: unknown finding 'Scoliosos'; did you mean Scoliosis\? "):
        parse([None], Labels(columns={"Scoliosos": "a"}), Vocabulary.of(["Fracture", "Scoliosis"]), a=["1"])


def test_columns_of_another_vocabulary_may_be_skipped_and_what_has_none_is_not_stated():
    labels = Labels(columns={"fracture": "a", "Clip": "b"}, ignore_others=True)
    table, notes = parse([None], labels, Vocabulary.of(["Scoliosis", "Fracture"]), a=["1"], b=["1"])
    assert table.rows(named=True) == [{"Scoliosis": None, "Fracture": 1}]
    assert notes == ("findings that are not in the vocabulary were skipped: Clip",)


def test_a_part_of_the_formats_findings_may_be_asked_for():
    part = Vocabulary.of(["Nodule", "Infiltrates"])
    sheet = pl.DataFrame({"labels": ["Mass|Infiltration", "Nodule"]}).with_row_index(LINE, offset=2)
    table, notes = parse_labels(sheet, LISTS, vocabulary=part, whole=NIH15, where=WHERE)
    assert table.rows(named=True) == [{"Nodule": 0, "Infiltrates": 1}, {"Nodule": 1, "Infiltrates": 0}]
    assert notes == ("findings that the vocabulary 'own' leaves out: Atelectasis, Cardiomegaly, Effusion, ...",)
    with pytest.raises(DataError, match="unknown finding 'Mass'; valid"):  # another vocabulary, not a part
        parse_labels(sheet, LISTS, vocabulary=Vocabulary.of(["Nodule", "Nodules"]), whole=NIH15, where=WHERE)


def test_the_label_that_says_none_is_the_vocabularys_own():
    own = Vocabulary.of(["Fracture", {"name": "Clip", "is_pathology": False}, "normal"])
    _, notes = parse(["normal|Clip", "normal|Fracture", "Fracture"], vocabulary=own)
    assert notes == ('1 image with "normal" beside a finding',)


def test_findings_of_a_release_may_be_renamed_or_skipped():
    labels = Labels(column="labels", separator=",", names={"Opacity": "Infiltration"}, ignore_others=True)
    table, notes = parse(["Opacity, Fracture", "Fracture"], labels)
    assert table["Infiltration"].to_list() == [1, 0]
    assert notes == ("findings that are not in the vocabulary were skipped: Fracture 2",)


def test_no_finding_beside_a_finding_is_said():
    _, notes = parse(["Mass|No Finding", "No Finding"])
    assert notes == ('1 image with "No Finding" beside a finding',)


def test_one_column_per_finding():
    labels = Labels(columns={"Effusion": "eff", "Mass": "mass"}, unstated=("-1",))
    table, notes = parse([None] * 5, labels, eff=["1", "0", "-1", None, "1.0"], mass=["0.0", "1", "-1.0", "0", "0"])
    assert table["Effusion"].to_list() == [1, 0, None, None, 1]
    assert table["Mass"].to_list() == [0, 1, None, 0, 0]
    assert table["Hernia"].null_count() == 5
    assert notes == ("label policy: 1 blank cell not stated",)


def test_words_in_columns():
    labels = Labels(columns={"Effusion": "eff"}, present=("YES",), absent=("no",), unstated=("unsure",))
    table, _ = parse([None] * 3, labels, eff=["yes", "No", "Unsure"])
    assert table["Effusion"].to_list() == [1, 0, None]


def test_a_cell_without_meaning_is_refused_with_its_place():
    labels = Labels(columns={"Effusion": "eff"})
    message = "labels.csv, line 3, column 'eff': 'maybe' is none of '1', '0', '-1', yes, no and the like; say"
    with pytest.raises(DataError, match=re.escape(message)):
        parse([None] * 2, labels, eff=["1", "maybe"])


def test_a_format_with_an_unknown_finding_is_refused():
    with pytest.raises(DataError, match=r"labels\.columns: unknown finding 'Fracture'; valid names: Atelectasis"):
        parse([None], Labels(columns={"Fracture": "x"}), x=["1"])
