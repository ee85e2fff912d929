"""Cells that list findings."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.data.tables.lists import findings_in, near_separator, one_hot
from cxrbench.data.tables.policy import ABSENT, PRESENT

NAMES = st.lists(st.sampled_from(["Mass", "Nodule/Mass", "pleural effusion", "Fractures, Bone"]), unique=True)


@given(names=NAMES, write=st.sampled_from([repr, json.dumps, lambda names: repr(tuple(names)), "|".join]))
def test_what_was_written_is_read(names, write):
    assert findings_in(write(names), ["|"]) == tuple(names)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("['pulmonary fibrosis', ' kyphosis', '']", ("pulmonary fibrosis", "kyphosis")),
        ("['Mass' 'Nodule']", ("Mass", "Nodule")),
        ("[]", ()),
        ("['broken", ("['broken",)),
        ("[1, 2]", ()),
        ("Pneumonia/Viral, ARDS", ("Pneumonia", "Viral", "ARDS")),
    ],
)
def test_lists_as_they_are(cell, names):
    assert findings_in(cell, ["/", ","]) == names


def test_codes_per_finding():
    table = one_hot(pl.Series(["a", None, "b"]), {"a": frozenset({"Mass"}), "b": frozenset()}, ["Mass", "Edema"])
    assert table.rows() == [(PRESENT, ABSENT), (None, None), (ABSENT, ABSENT)]


def test_a_separator_that_was_not_named_is_seen():
    known = {"Mass", "Nodule"}.__contains__
    assert near_separator(["Fracture", "Mass; Nodule"], known) == ("Mass; Nodule", ";")
    assert near_separator(["Fractures, Bone", "Nodule/Mass"], known) is None
