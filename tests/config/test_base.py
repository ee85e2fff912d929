"""Parsing, changes by path, and what identifies a value."""

from typing import Annotated

import pytest
from pydantic import Field

from cxrbench.config.base import Added, NotIdentity, Settings, changed, merged, parse_settings, unknown
from cxrbench.errors import ConfigError


class Inner(Settings):
    rate: float = Field(0.1, gt=0)
    clip: Annotated[float | None, Added(older=None)] = None
    steps: tuple[int, ...] = (1, 2)


class Outer(Settings):
    name: Annotated[str, NotIdentity()] = "a"
    inner: Inner = Inner()
    several: tuple[Inner, ...] = (Inner(), Inner(rate=0.2))


def test_the_identity_covers_defaults_and_leaves_out_what_does_not_matter():
    inner = {"rate": 0.1, "steps": [1, 2]}
    assert Outer(name="b").identity() == {"inner": inner, "several": [inner, {**inner, "rate": 0.2}]}


def test_a_field_that_came_later_counts_unless_it_has_the_older_value():
    assert "clip" not in Inner().identity()
    assert Inner(clip=1.0).identity()["clip"] == 1.0
    assert Inner(clip=1.0).identity() != Inner().identity()


def test_a_change_by_path_is_validated_and_leaves_the_original():
    outer = Outer()
    new = changed(outer, {"inner.rate": 0.5, "several.1.steps": [3]}, where="study")
    assert (new.inner.rate, new.several[1].steps, outer.inner.rate) == (0.5, (3,), 0.1)
    assert new.several[0] == outer.several[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inner.rate": -1}, r"study: inner\.rate: .*greater than 0; got -1"),
        ({"inner.rat": 1}, r"study: unknown key 'inner\.rat'; valid keys here: clip, rate, steps"),
        ({"outer.rate": 1}, r"study: no 'outer\.rate' to change; keys here: name, inner, several"),
        ({"inner.clips.rate": 1}, r"study: no 'inner\.clips\.rate' to change; keys here: rate, clip, steps"),
        ({"several.7.rate": 1}, r"study: no 'several\.7\.rate' to change; keys here: 0, 1"),
        ({"name.x": 1}, r"study: no 'name\.x' to change; keys here: none"),
    ],
)
def test_a_change_that_leads_nowhere_or_is_not_valid_is_one_line(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        changed(Outer(), change, where="study")
    assert "\n" not in str(caught.value)


def test_not_a_number_is_refused():
    with pytest.raises(ConfigError, match=r"inner\.rate: .*finite"):
        parse_settings({"inner": {"rate": float("nan")}}, Outer, where="x")


def test_nested_mappings_are_merged_and_inputs_are_left():
    base, more = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "e": 5}
    assert merged(base, more) == {"a": {"b": 1, "c": 4}, "d": 3, "e": 5}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}


def test_an_unknown_name_is_answered_with_near_ones():
    assert unknown("approach", "larg", ["ots", "large", "large-meta"]) == (
        "unknown approach 'larg'; did you mean large? valid names: ots, large, large-meta"
    )
    assert unknown("approach", "zzz", ["ots"]) == "unknown approach 'zzz'; valid names: ots"
