"""What blank and uncertain cells mean."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.config import LabelPolicy, Vocabulary
from cxrbench.data.tables.policy import ABSENT, PRESENT, UNCERTAIN, UNSTATED, apply_policy

VOCABULARY = Vocabulary.of(["Edema", "Mass", {"name": "Clip", "is_pathology": False}, "No Finding"])
CODES = st.sampled_from([PRESENT, UNCERTAIN, ABSENT, UNSTATED, None])


def applied(rows, policy, stated=VOCABULARY.names):
    codes = pl.DataFrame(rows, schema=dict.fromkeys(VOCABULARY.names, pl.Int8), orient="row")
    return apply_policy(codes, policy, vocabulary=VOCABULARY, stated=stated)


@given(
    rows=st.lists(st.tuples(CODES, CODES, CODES, CODES), min_size=1, max_size=5),
    blank=st.sampled_from(["unstated", "absent"]),
    uncertain=st.sampled_from(["unstated", "absent", "present"]),
)
def test_each_cell_by_itself(rows, blank, uncertain):
    policy = LabelPolicy(blank=blank, uncertain=uncertain, no_finding="as stated")
    words = {"present": 1, "absent": 0, "unstated": None}
    meaning = {PRESENT: 1, ABSENT: 0, UNSTATED: None, UNCERTAIN: words[uncertain], None: words[blank]}
    assert applied(rows, policy)[0].rows() == [tuple(meaning[code] for code in row) for row in rows]


@pytest.mark.parametrize(
    ("row", "implied", "derived"),
    [
        ((None, None, None, PRESENT), (0, 0, None, 1), (0, 0, None, 1)),
        ((PRESENT, None, None, None), (1, None, None, 0), (1, None, None, 0)),
        ((ABSENT, ABSENT, PRESENT, None), (0, 0, 1, None), (0, 0, 1, 1)),
        ((UNCERTAIN, None, None, PRESENT), (None, 0, None, 1), (None, 0, None, 1)),
        ((ABSENT, UNCERTAIN, None, None), (0, None, None, None), (0, None, None, None)),
        ((PRESENT, None, None, PRESENT), (1, 0, None, 1), (1, 0, None, 0)),
    ],
)
def test_no_finding_and_pathologies_imply_each_other(row, implied, derived):
    for no_finding, expected in (("implied", implied), ("derived", derived)):
        assert applied([row], LabelPolicy(no_finding=no_finding))[0].row(0) == expected


def test_a_label_that_the_file_has_no_place_for_is_not_implied():
    row = (PRESENT, ABSENT, None, UNSTATED)
    assert applied([row], LabelPolicy(), stated=("Edema", "Mass", "Clip"))[0].row(0) == (1, 0, None, None)


def test_what_the_policy_did_is_said():
    rows = [(None, None, None, PRESENT), (PRESENT, UNCERTAIN, None, None), (None, None, None, None)]
    assert applied(rows, LabelPolicy())[1] == (
        "label policy: 1 row without labels not stated, 5 blank cells not stated, 1 uncertain cell not stated",
        '"No Finding" implies: 2 blank cells of findings absent',
        '"No Finding" follows from the findings of 1 row',
    )
