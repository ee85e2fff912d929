"""Two small bundles behind one application in this process, and behind one server in a process of its own."""

import io
import json
import subprocess
import sys

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from starlette.testclient import TestClient

from cxrbench.bundle import load_bundle
from cxrbench.bundle.making import make_bundle
from cxrbench.runs import RunName
from cxrbench.serve import ServeSettings, create_app

SCRIPT = """
import json, sys
from pathlib import Path

def main():
    from cxrbench.bundle import load_bundle
    from cxrbench.serve import Server, ServeSettings, create_app

    bundles, settings = json.loads(sys.argv[1])
    settings = ServeSettings(**settings)
    app = create_app({name: load_bundle(Path(path)) for name, path in bundles.items()}, settings)
    server = Server(app, settings)
    print(server.url, flush=True)
    server.run()

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="session")
def large_bundle(small_study, tmp_path_factory):
    out = tmp_path_factory.mktemp("large") / "bundle"
    return make_bundle(small_study, [RunName("large-meta", "resample-1", 0)], out).folder


@pytest.fixture(scope="session")
def app(small_bundle, large_bundle):
    bundles = {"meta": load_bundle(small_bundle), "large": load_bundle(large_bundle)}
    return create_app(bundles, ServeSettings(workers=1, max_upload_mb=1, max_pixels=100_000, time_limit_s=300))


@pytest.fixture(scope="session")
def client(app):
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture(scope="session")
def film_path(small_study):
    return min((small_study.parent / "films" / "images").iterdir())


@pytest.fixture(scope="session")
def film(film_path):
    return film_path.read_bytes()


@pytest.fixture(scope="session")
def dicom(film):
    """The film as DICOM, of Doe^Jane, 71 years, AP."""
    pixels = np.array(Image.open(io.BytesIO(film)))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.PatientName, dataset.PatientID, dataset.PatientAge, dataset.PatientSex = "Doe^Jane", "K4711", "071Y", "F"
    dataset.Modality, dataset.ViewPosition = "DX", "AP"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.WindowCenter, dataset.WindowWidth = 128, 256
    dataset.PixelData = pixels.tobytes()
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


@pytest.fixture(scope="session")
def start_server(tmp_path_factory):
    """Start a server process; gives the process and its address. What it says on stderr goes into a file."""
    started = []

    def start(bundles, **settings):
        folder = tmp_path_factory.mktemp("server")
        script = folder / "serve.py"
        script.write_text(SCRIPT)
        own = {"port": 0, "workers": 1, **settings}
        said = (folder / "stderr").open("w+")
        process = subprocess.Popen(
            [sys.executable, str(script), json.dumps([bundles, own])], stdout=subprocess.PIPE, stderr=said, text=True
        )
        process.said = folder / "stderr"
        started.append((process, said))
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), process.said.read_text()
        return process, url

    yield start
    for process, said in started:
        process.kill()
        process.wait()
        process.stdout.close()
        said.close()


@pytest.fixture(scope="session")
def server(start_server, small_bundle, large_bundle):
    """One server for all who do not end it."""
    return start_server({"meta": str(small_bundle), "large": str(large_bundle)}, stall_limit_s=6, time_limit_s=300)
