"""What the tests of DICOM results share."""

import gc
import json
import logging
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from cxrbench.bundle import load_bundle
from cxrbench.bundle.making import make_bundle
from cxrbench.files import digest_json, write_json
from cxrbench.pacs import Answerer
from cxrbench.predict import Predictor
from cxrbench.runs import WEIGHTS_FILE, RunName
from sealing import reseal

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """pynetdicom leaves a socket to the garbage collector where the other side hung up first."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(autouse=True, scope="module")
def sockets_are_collected():
    """Before tests of other rooms, which take an unclosed socket for an error."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def all_is_said(caplog):
    """What is said is seen, whatever level other tests or libraries left to the root logger."""
    caplog.set_level(logging.INFO, logger="cxrbench.pacs")


@pytest.fixture(scope="session")
def phantom_films(small_study):
    """Grey values of generated films."""
    paths = sorted((small_study.parent / "films" / "images").glob("*.png"))[:12]
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]


@pytest.fixture(scope="session")
def eager_bundle(small_study, tmp_path_factory):
    """A small bundle with thresholds so low that every finding counts as present, and something speaks for it.

    After one epoch every place of a film speaks against every finding; with the last layer turned round, for it.
    """
    folder, run = tmp_path_factory.mktemp("eager"), RunName("1channel-meta", "resample-1", 0)
    shutil.copytree(small_study, folder / "study")
    weights = run.folder(folder / "study") / WEIGHTS_FILE
    tensors = load_file(weights)
    save_file({**tensors, "head.weight": -tensors["head.weight"]}, weights)
    reseal(weights.parent)
    make_bundle(folder / "study", [run], folder / "bundle")
    described = json.loads((folder / "bundle" / "bundle.json").read_text())
    described.pop("digest")
    for decision in described["decisions"].values():
        decision.update(threshold=0.0, reason=None)
    write_json(folder / "bundle" / "bundle.json", {**described, "digest": digest_json(described)})
    return folder / "bundle"


@pytest.fixture(scope="session")
def answerer(eager_bundle):
    with closing(Answerer(Predictor(load_bundle(eager_bundle), backend="torch"))) as made:
        yield made


@pytest.fixture(scope="session")
def shown_film(answerer, phantom_films, tmp_path_factory):
    """Grey values of a film whose answer has findings over their threshold, with something that speaks for them."""
    from dicom_film import write_film  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("shown")
    for number, pixels in enumerate(phantom_films):
        if answerer.answer(write_film(folder / f"{number}.dcm", pixels)).presentation is not None:
            return pixels
    raise AssertionError("no film has a finding to show")


@pytest.fixture(scope="session")
def plain_film():
    return np.tile(np.arange(96, dtype=np.uint8), (96, 1))


@pytest.fixture(scope="session")
def errors_of():
    """Errors that the validator finds in a DICOM file; skips where it is not installed."""
    if not shutil.which("dciodvfy"):
        pytest.skip("needs dciodvfy (Debian package dicom3tools)")

    def check(path):
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        return [line for line in (said.stderr + said.stdout).splitlines() if line.startswith(("Error", "Abort"))]

    return check
