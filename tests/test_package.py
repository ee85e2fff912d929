"""What ``import cxrbench`` offers: every name, and nothing heavy before it is asked for."""

import subprocess
import sys

import pytest

import cxrbench

HEAVY = ("torch", "polars", "numpy", "matplotlib", "pydantic")


def imported_by(code):
    """Modules of ``HEAVY`` that a new interpreter has after some code."""
    said = f"import sys; {code}; print([name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True).stdout.strip()


def test_the_import_alone_brings_nothing_heavy():
    assert imported_by("import cxrbench") == "[]"


def test_results_need_no_torch():
    found = imported_by("import cxrbench as cxr; cxr.auc, cxr.compare, cxr.evaluate, cxr.open_study, cxr.load_bundle")
    assert "polars" in found
    assert "torch" not in found
    assert "matplotlib" not in found


@pytest.mark.parametrize("name", cxrbench.__all__)
def test_every_name_is_there_and_documented(name):
    offered = getattr(cxrbench, name)
    assert callable(offered)
    assert offered.__doc__
    assert name in dir(cxrbench)


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(AttributeError, match=r"no attribute 'acu'; it offers .*, auc, compare"):
        _ = cxrbench.acu


def test_the_room_of_the_same_name_is_the_function_too():
    assert cxrbench.evaluate([0.9, 0.1], labels=[1, 0]).auc["auc"].item() == 1
