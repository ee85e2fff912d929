"""A real Orthanc on loopback ports, with DICOMweb, for as long as a test needs it."""

import io
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

import pydicom
import requests
from pynetdicom import AE

from cxrbench.environment import free_port

PROGRAM = next((one for one in ("/usr/sbin/Orthanc", shutil.which("Orthanc")) if one and Path(one).exists()), None)
PLUGIN = next(
    (str(one) for folder in ("/usr/share/orthanc/plugins", "/usr/lib/orthanc")
     for one in sorted(Path(folder).glob("libOrthancDicomWeb.so*"))), None,
)  # fmt: skip
SECONDS = 180
"""Others may use the same cores."""


def patient_entity(title: str) -> AE:
    """An application entity that waits for as long as tests do."""
    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = SECONDS
    return entity


class Orthanc:
    """Started and stopped by hand, so that a test can take it away; what it stored stays in its folder."""

    def __init__(self, folder: Path, *, listener_port: int) -> None:
        self.folder, self.http_port, self.dicom_port = folder, free_port(), free_port()
        settings = {
            "Name": "test", "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http_port, "DicomPort": self.dicom_port, "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": True, "AuthenticationEnabled": False, "Plugins": [PLUGIN], "HttpServerEnabled": True,
            "DicomModalities": {"cxrbench": ["CXRBENCH", "127.0.0.1", listener_port]},
            "DicomScuTimeout": SECONDS,
        }  # fmt: skip
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self._process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def web(self) -> str:
        return f"{self.url}/dicom-web"

    @property
    def node(self) -> str:
        return f"ORTHANC@127.0.0.1:{self.dicom_port}"

    def start(self) -> Self:
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, str(self.folder / "orthanc.json")], stdout=log, stderr=log)
        wait_until(self._answers, "Orthanc did not start")
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(SECONDS)
            self._process = None

    def upload(self, path: Path) -> str:
        """Put a file into Orthanc; gives its id there."""
        done = requests.post(f"{self.url}/instances", data=path.read_bytes(), timeout=SECONDS)
        done.raise_for_status()
        return done.json()["ID"]

    def send(self, instance: str) -> None:
        """Have Orthanc send an object to the listener, as its users' rules would."""
        done = requests.post(f"{self.url}/modalities/cxrbench/store", data=instance, timeout=SECONDS)
        done.raise_for_status()

    def study(self, uid: str) -> list[pydicom.Dataset]:
        """All objects of a study, read back."""
        found = requests.post(f"{self.url}/tools/lookup", data=uid, timeout=SECONDS).json()
        ids = [one["ID"] for one in found if one["Type"] == "Study"]
        if not ids:
            return []
        listed = requests.get(f"{self.url}/studies/{ids[0]}/instances", timeout=SECONDS).json()
        files = [requests.get(f"{self.url}/instances/{one['ID']}/file", timeout=SECONDS).content for one in listed]
        return [pydicom.dcmread(io.BytesIO(content)) for content in files]

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"Orthanc ended: {(self.folder / 'orthanc.log').read_text()[-2000:]}")
        try:
            return requests.get(f"{self.url}/system", timeout=SECONDS).ok
        except requests.ConnectionError:
            return False


def wait_until(is_so, what: str):
    """Wait for something to be so; the machine may be slow."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if found := is_so():
            return found
        time.sleep(0.2)
    raise AssertionError(what)
