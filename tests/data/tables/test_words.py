"""Words in the cells of one finding's column."""

import polars as pl
import pytest

from cxrbench.config import Labels
from cxrbench.data.tables.policy import ABSENT, PRESENT, UNCERTAIN, UNSTATED
from cxrbench.data.tables.words import codes_of, understood


def codes(*cells, **words):
    read, is_strange = codes_of(pl.Series(cells, dtype=pl.String), Labels(columns={"Mass": "mass"}, **words))
    return read.to_list(), is_strange.to_list()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["1", "1.0", "1,0", "TRUE", "Yes", "y", "positive", "x"], PRESENT),
        (["0", "0.0", "False", "NO", "n", "negative"], ABSENT),
        (["-1", "-1.0", "uncertain", "?"], UNCERTAIN),
        ([None, "nan", "NA", "n/a"], None),
    ],
)
def test_the_usual_words(words, code):
    assert codes(*words) == ([code] * len(words), [False] * len(words))


def test_own_words_and_the_rest():
    own = {"absent": ["-1"], "present": ["*"], "unstated": ["?"]}
    assert codes("-1", " -1 ", "557374 2", "?", None, **own)[0] == [ABSENT, ABSENT, PRESENT, UNSTATED, None]


def test_a_blank_cell_may_have_a_word():
    assert codes(None, "1", absent=["0", ""])[0] == [ABSENT, PRESENT]


def test_what_has_no_meaning_is_told():
    assert codes("1", "maybe")[1] == [False, True]
    assert understood(Labels(columns={"Mass": "m"}, present=["ja!"])) == "'1', '0', '-1', 'ja!', yes, no and the like"
