"""Bundles and their exports; made once, as the exporter takes seconds."""

import shutil
from importlib.util import find_spec

import pytest

from cxrbench.bundle import choose_runs, load_bundle
from cxrbench.bundle.making import make_bundle

NEEDED = ("nncf", "onnx", "onnxscript", "onnxruntime", "openvino")


@pytest.fixture(scope="session", autouse=True)
def _packages_of_the_extra():
    if absent := [name for name in NEEDED if find_spec(name) is None]:
        pytest.skip(f"needs {', '.join(absent)}: pip install 'cxrbench[export]'")


@pytest.fixture(scope="session")
def exported_bundle(small_bundle, tmp_path_factory):
    """The small bundle with its exports for both runtimes; a test that spoils it copies it."""
    from cxrbench.export import Exporting, export_bundle  # noqa: PLC0415 - skipped where its packages are absent

    folder = shutil.copytree(small_bundle, tmp_path_factory.mktemp("exported") / "bundle")
    for form in ("onnx", "openvino"):
        export_bundle(load_bundle(folder), Exporting(form=form))
    return folder


@pytest.fixture(scope="session")
def ensemble(small_study, tmp_path_factory):
    """A member without non-image features beside one with them and another input size."""
    runs = choose_runs(small_study, approaches=["1channel", "large-meta"])
    return make_bundle(small_study, runs, tmp_path_factory.mktemp("ensemble") / "bundle")


@pytest.fixture(scope="session")
def exported_ensemble(ensemble, small_study, tmp_path_factory):
    """Its export to ONNX with preprocessing, out of the bundle, compared on the study's test films: folder, record."""
    from cxrbench.export import Exporting, export_bundle  # noqa: PLC0415 - likewise

    how = Exporting(form="onnx", has_preprocessing=True, study=small_study)
    return export_bundle(ensemble, how, tmp_path_factory.mktemp("out") / "exported")
