"""Code of other packages that settings name: found wherever it is named, digested without being imported."""

import sys
from typing import Annotated

import pytest

from cxrbench.config import Network, Settings, changed_code, code_of, load_approach, with_changes
from cxrbench.config.code import parts_of, source_digest
from cxrbench.config.network import BACKBONES, HEADS
from cxrbench.config.registry import Part


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module in the current folder, and its file."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "throwaway_code.py"
    path.write_text("raise RuntimeError('imported')")
    return path


def own(function="throwaway_code:build"):
    return Network.model_validate({"backbone": {"module": function}, "weights": "none"})


def test_networks_of_our_own_have_no_code_of_others():
    assert code_of(load_approach("ft")) is None


def test_a_module_is_digested_and_not_imported(module):
    code = code_of(own())
    assert code == {"throwaway_code": source_digest("throwaway_code")}
    assert "throwaway_code" not in sys.modules
    module.write_text("other = 1")
    assert changed_code(code, code_of(own())) == ("throwaway_code",)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network.backbone", {"module": "throwaway_code:build"}),
        ("recipe.loss", {"module": "throwaway_code:loss"}),
        ("augmentation.operations", [{"module": "throwaway_code:noise"}]),
    ],
)
def test_every_part_of_an_approach_counts(module, path, value):
    approach = with_changes(load_approach("1channel"), {path: value})
    assert code_of(approach) == {"throwaway_code": source_digest("throwaway_code")}


def test_a_package_is_digested_whole(module):
    package = module.parent / "throwaway_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nets.py").write_text("a = 1")
    before = source_digest("throwaway_package.nets")
    (package / "helper.py").write_text("b = 1")
    assert source_digest("throwaway_package.nets") != before
    (package / "helper.py").unlink()
    assert source_digest("throwaway_package.nets") == before


def test_what_has_no_source_has_no_digest():
    assert source_digest("nothing_of_that_name") is None
    assert code_of(own("nothing_of_that_name:build")) is None


class Nested(Settings):
    network: Network
    several: tuple[Annotated[Part, HEADS], ...]


def test_parts_are_found_in_nested_settings_and_in_lists():
    nested = Nested.model_validate({"network": dict(own()), "several": ["linear", {"mlp": [8]}]})
    found = [(registry.kind, part.name) for registry, part in parts_of(nested)]
    assert found == [
        ("backbone", "module"), ("weights", "none"), ("head", "linear"), ("head", "linear"), ("head", "mlp"),
    ]  # fmt: skip
    assert next(parts_of(nested))[0] is BACKBONES


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (None, None, ()),
        ({"a": "1"}, {"a": "1"}, ()),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, ("b",)),
        (None, {"a": "1"}, ("a",)),
        ({"a": "1"}, None, ("a",)),
    ],
)
def test_changed_packages_are_named(old, new, changed):
    assert changed_code(old, new) == changed
