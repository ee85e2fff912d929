"""Exchangeable parts: how they are spelt, what is refused, and entries of other packages."""

import sys
from importlib import metadata
from typing import Annotated

import pytest

from cxrbench.config.augmentation import AUGMENTATIONS
from cxrbench.config.base import Settings, changed, parse_settings
from cxrbench.config.losses import LOSSES, SAMPLERS
from cxrbench.config.network import BACKBONES, HEADS, WEIGHTS
from cxrbench.config.optimisation import AVERAGES, OPTIMISERS, SCHEDULES
from cxrbench.config.registry import Entry, Part, Registry, imported
from cxrbench.errors import ConfigError


class Sieve(Settings):
    holes: int = 3
    round: bool = True


SIEVES = Registry("sieve", (Entry("fine", Sieve, "builtins:dict", "small holes", main="holes"),), group="test.sieves")


class Kitchen(Settings):
    sieve: Annotated[Part, SIEVES]


@pytest.mark.parametrize("spelling", ["fine", {"fine": {}}, {"fine": None}, {"fine": 3}, {"fine": {"holes": 3}}])
def test_every_spelling_means_the_same(spelling):
    kitchen = parse_settings({"sieve": spelling}, Kitchen, where="x")
    assert kitchen.sieve == Part(name="fine", settings=Sieve())
    assert kitchen.model_dump(mode="json") == {"sieve": {"fine": {"holes": 3, "round": True}}}
    assert Kitchen.model_validate_json(kitchen.model_dump_json()) == kitchen
    assert kitchen.identity() == {"sieve": {"fine": {"holes": 3, "round": True}}}


def test_a_parts_setting_is_changed_by_its_path():
    kitchen = parse_settings({"sieve": "fine"}, Kitchen, where="x")
    assert changed(kitchen, {"sieve.fine.holes": 7}, where="x").sieve.settings == Sieve(holes=7)


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("fin", "sieve: unknown sieve 'fin'; did you mean fine"),
        ({"fine": {"hole": 1}}, "sieve: fine: unknown key 'hole'; valid keys here: holes, round"),
        ({"fine": {"holes": "many"}}, "sieve: fine: holes: .*integer.*got 'many'"),
        ({"fine": {}, "coarse": {}}, r"sieve: name one sieve, as in \{fine: \{...\}\}; got fine and coarse"),
        (7, "sieve: name one sieve, .*got int"),
        ({}, "sieve: name one sieve, .*got nothing"),
    ],
)
def test_what_names_no_part_is_one_line(spelling, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_settings({"sieve": spelling}, Kitchen, where="x")
    assert "\n" not in str(caught.value)


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """Install an entry point of another package, in name only."""

    def offer(source):
        (tmp_path / "other_sieves.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "other_sieves", raising=False)
        point = metadata.EntryPoint(name="coarse", value="other_sieves:COARSE", group="test.sieves")
        monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == "test.sieves" else [])
        return Registry("sieve", SIEVES.own, group="test.sieves")

    return offer


OTHER = """
from cxrbench.config import Entry, Settings

class Coarse(Settings):
    metal: str = "tin"

def build(settings, *, colour):
    return (settings.metal, colour)

COARSE = Entry("coarse", Coarse, "other_sieves:build", "large holes", main="metal")
"""


def test_another_packages_entry_is_listed_without_import_and_built_when_named(offered):
    registry = offered(OTHER)
    assert registry.names == ["fine", "coarse"]
    assert "other_sieves" not in sys.modules
    part = registry.parse({"coarse": "copper"})
    assert registry.build(part, colour="red") == ("copper", "red")
    assert registry.find("coarse").package == "other_sieves:COARSE"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nothing_like_it", "sieve 'coarse': package .* cannot be imported .*nothing_like_it"),
        ("COARSE = 3", "sieve 'coarse': other_sieves:COARSE .* is a int, not a cxrbench Entry"),
    ],
)
def test_another_packages_entry_that_is_broken_is_named(offered, source, message):
    with pytest.raises(ConfigError, match=message):
        offered(source).find("coarse")


def test_a_name_that_two_packages_offer_is_an_error_when_it_is_used(monkeypatch):
    points = [metadata.EntryPoint(name="coarse", value=f"{one}_sieves:COARSE", group="test.sieves") for one in "ba"]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)
    registry = Registry("sieve", SIEVES.own, group="test.sieves")
    assert registry.names == ["fine", "coarse"]
    assert registry.listing == ["fine", "coarse (of a_sieves:COARSE and b_sieves:COARSE)"]
    assert registry.parse("fine").name == "fine"
    with pytest.raises(ConfigError, match="sieve 'coarse': offered by a_sieves:COARSE and b_sieves:COARSE; uninstall"):
        registry.find("coarse")
    with pytest.raises(ConfigError, match=r"valid names: fine, coarse \(of a_sieves:COARSE and b_sieves:COARSE\)"):
        registry.find("middling")


def test_a_module_that_cannot_be_imported_is_named():
    with pytest.raises(ConfigError, match=r"backbone x: nowhere\.at\.all cannot be imported"):
        imported("nowhere.at.all:f", what="backbone x")
    with pytest.raises(ConfigError, match="backbone x: math has no 'squareroot'"):
        imported("math:squareroot", what="backbone x")


EVERY_KIND = [AUGMENTATIONS, BACKBONES, HEADS, WEIGHTS, OPTIMISERS, SCHEDULES, AVERAGES, LOSSES, SAMPLERS]


@pytest.mark.parametrize("registry", EVERY_KIND, ids=lambda registry: registry.kind)
def test_every_entry_of_ours_has_a_builder_and_a_summary(registry):
    for entry in registry.own:
        assert callable(imported(entry.builder, what=entry.name)), entry.name
        assert entry.summary
        assert entry.main is None or entry.main in entry.settings.model_fields
