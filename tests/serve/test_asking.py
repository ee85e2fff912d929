"""Fields of a form, checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.predict import Given
from cxrbench.serve.asking import chosen, given_in
from cxrbench.serve.refusals import Refusal


def test_what_is_given():
    assert given_in({"age": "62.5", "sex": "f", "view": "pa"}) == Given(age_years=62.5, sex="F", view="PA")
    assert given_in({}) == Given()
    withheld = given_in({"age": "unknown", "sex": "Unknown", "view": "PA"})
    assert withheld == Given(view="PA", unknown=frozenset({"age_years", "sex"}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"age": "old"}, "age 'old'"),
        ({"age": "nan"}, "age 'nan'"),
        ({"age": "-1"}, "age '-1'"),
        ({"age": "121"}, "age '121'"),
        ({"sex": "W"}, "sex 'W'"),
        ({"view": "<script>"}, "view '<SCRIPT>'"),
    ],
)
def test_what_cannot_be_used_is_named(fields, said):
    with pytest.raises(Refusal, match=said) as refused:
        given_in(fields)
    assert refused.value.status == 422


@given(st.text(max_size=20))
def test_any_age_is_in_range_or_refused(text):
    try:
        age = given_in({"age": text}).age_years
    except Refusal:
        return
    assert 0 <= age <= 120


def test_one_of_several_words():
    assert chosen({"method": "cam"}, "method", ("cam", "layer-cam")) == "cam"
    assert chosen({}, "method", ("cam",), default="cam") == "cam"
    with pytest.raises(Refusal, match="'occlusion' is unknown; send one of cam, layer-cam"):
        chosen({"method": "occlusion"}, "method", ("cam", "layer-cam"))
    with pytest.raises(Refusal, match="finding is missing"):
        chosen({}, "finding", ("Mass",))
