"""A bundle beside a real Orthanc: films in, results under the same study, through DIMSE and through DICOMweb."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from cxrbench.environment import free_port
from cxrbench.pacs.destinations import Web, node_at
from cxrbench.pacs.intake import Intake
from cxrbench.pacs.listener import Listener
from cxrbench.pacs.receiver import Listening, Receiver
from cxrbench.pacs.report import read_probabilities
from cxrbench.pacs.spool import Spool
from cxrbench.pacs.watcher import Watcher, web_client
from dicom_film import DX, SC, film_dataset, write_film
from orthanc import PLUGIN, PROGRAM, SECONDS, Orthanc, patient_entity, wait_until

pytestmark = [
    pytest.mark.skipif(PROGRAM is None or PLUGIN is None, reason="needs Debian's orthanc and orthanc-dicomweb"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
KINDS = {
    "1.2.840.10008.5.1.4.1.1.88.22": "report",
    "1.2.840.10008.5.1.4.1.1.7": "heat map",
    "1.2.840.10008.5.1.4.1.1.11.1": "boxes",
}


@pytest.fixture(scope="module")
def listener_port():
    return free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, listener_port):
    server = Orthanc(tmp_path_factory.mktemp("orthanc"), listener_port=listener_port).start()
    yield server
    server.stop()


@contextmanager
def running(answerer, spool, destination, origin):
    """A listener in threads of this process, ready; whatever happens, it is ended, and has ended."""
    stop, is_ready = threading.Event(), threading.Event()
    watched = SimpleNamespace(start=lambda: (origin.start(), is_ready.set()), stop=origin.stop)
    thread = threading.Thread(target=Listener(answerer, spool, destination, watched).run, args=(stop,), daemon=True)
    thread.start()
    try:
        assert is_ready.wait(SECONDS)
        yield
    finally:
        stop.set()
        thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def spool(answerer, tmp_path):
    return Spool(tmp_path / "spool", answerer.bundle.digest, most_waiting=20)


@pytest.fixture
def listening(answerer, spool, orthanc, listener_port):
    """A listener that gives its results to Orthanc."""
    receiver = Receiver(Listening(port=listener_port), Intake(spool))
    with running(answerer, spool, node_at(orthanc.node, own_title="CXRBENCH"), receiver):
        yield receiver


def results_in(orthanc, study, *, least=3):
    """Results of a study in Orthanc by kind, once there are so many."""

    def found():
        kinds = {}
        for one in orthanc.study(study):
            if one.get("ManufacturerModelName") == "cxrbench":
                kinds.setdefault(KINDS[one.SOPClassUID], []).append(one)
        return kinds if sum(map(len, kinds.values())) >= least and "report" in kinds else None

    return wait_until(found, "no results in Orthanc")


def test_a_film_that_orthanc_sends_is_answered_under_its_study(
    listening, spool, orthanc, answerer, shown_film, tmp_path
):
    path = write_film(tmp_path / "film.dcm", shown_film, PatientID="DIMSE")
    film = pydicom.dcmread(path)
    instance = orthanc.upload(path)
    orthanc.send(instance)
    kinds = results_in(orthanc, film.StudyInstanceUID, least=len(answerer.answer(path).all))
    assert set(kinds) == {"report", "heat map", "boxes"}
    assert {one.PatientID for group in kinds.values() for one in group} == {"DIMSE"}
    assert read_probabilities(kinds["report"][0]) == read_probabilities(answerer.answer(path).report)
    wait_until(lambda: spool.is_empty, "the spool is not empty")
    before = len(orthanc.study(film.StudyInstanceUID))
    orthanc.send(instance)  # again: it was answered
    for result in kinds["heat map"]:  # and its own results, as a rule that sends all might
        stream = io.BytesIO()
        result.save_as(stream, enforce_file_format=True)
        (tmp_path / "result.dcm").write_bytes(stream.getvalue())
        orthanc.send(orthanc.upload(tmp_path / "result.dcm"))
    assert spool.is_empty
    assert len(orthanc.study(film.StudyInstanceUID)) == before


def test_a_real_film_as_secondary_capture(listening, orthanc, shared, tmp_path):
    picture = next(iter(sorted((shared("nih-sample") / "images").glob("*.png"))))
    pixels = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    unsaid = dict.fromkeys(("ViewPosition", "PresentationIntentType", "PresentationLUTShape", "BodyPartExamined"))
    path = write_film(tmp_path / "film.dcm", pixels, SOPClassUID=SC, Modality="OT", ConversionType="WSD", **unsaid)
    orthanc.send(orthanc.upload(path))
    kinds = results_in(orthanc, pydicom.dcmread(path).StudyInstanceUID, least=1)
    assert len(kinds["report"]) == 1


@pytest.fixture
def away(tmp_path):
    """An Orthanc that was not started yet."""
    server = Orthanc(tmp_path, listener_port=1)
    yield server
    server.stop()


def test_the_destination_may_be_away(answerer, spool, away, phantom_films, caplog):
    receiver = Receiver(Listening(port=0), Intake(spool))
    films = [film_dataset(pixels) for pixels in phantom_films[:2]]
    with running(answerer, spool, node_at(away.node, own_title="CXRBENCH"), receiver):
        assert send(receiver.port, *films) == [0, 0]
        wait_until(lambda: caplog.text.count("not delivered yet") >= 2, "nothing was tried")
        away.start()
        for film in films:
            results_in(away, film.StudyInstanceUID, least=1)
        wait_until(lambda: spool.is_empty, "the spool is not empty")


def test_dicomweb(answerer, spool, orthanc, shown_film, tmp_path, caplog):
    """Watched, retrieved, answered, stored; looked at again without a new answer."""
    path = write_film(tmp_path / "film.dcm", shown_film, PatientID="WEB", StudyDate="20260101")
    lateral = write_film(tmp_path / "lateral.dcm", shown_film, PatientID="WEB", StudyDate="20260101", ViewPosition="LL")
    film = pydicom.dcmread(path)
    orthanc.upload(path)
    orthanc.upload(lateral)
    client = web_client(orthanc.web)
    with running(answerer, spool, Web(client), Watcher(client, Intake(spool), days=0, seconds=0.2)):
        kinds = results_in(orthanc, film.StudyInstanceUID, least=len(answerer.answer(path).all))
        wait_until(lambda: spool.is_empty, "the spool is not empty")
        wait_until(lambda: "left out: a lateral or oblique film" in caplog.text, "the lateral film was not looked at")
    assert set(kinds) == {"report", "heat map", "boxes"}
    assert len(orthanc.study(pydicom.dcmread(lateral).StudyInstanceUID)) == 1
    before = len(orthanc.study(film.StudyInstanceUID))
    Watcher(client, Intake(spool), days=0, seconds=1).look()
    assert spool.is_empty
    assert len(orthanc.study(film.StudyInstanceUID)) == before


def test_killed_between_success_and_answer(eager_bundle, orthanc, shown_film, tmp_path):
    """The command, killed as soon as it said success; started again, it answers; SIGTERM ends it in order."""
    film = film_dataset(shown_film)
    first, port = start(eager_bundle, tmp_path, orthanc, log="killed.log")
    assert send(port, film) == [0]
    first.kill()
    first.wait()
    second, _ = start(eager_bundle, tmp_path, orthanc, log="restarted.log")
    results_in(orthanc, film.StudyInstanceUID, least=1)
    wait_until(lambda: "delivered" in (tmp_path / "restarted.log").read_text(), "not all was delivered")
    second.send_signal(signal.SIGTERM)
    assert second.wait(SECONDS) == 0
    killed, restarted = ((tmp_path / f"{name}.log").read_text() for name in ("killed", "restarted"))
    assert "Traceback" not in restarted  # Python's own start of processes may write one when it is killed
    assert "Test" not in killed + restarted
    assert film.SOPInstanceUID not in killed + restarted


def start(bundle, folder: Path, orthanc, *, log: str) -> tuple[subprocess.Popen, int]:
    """The command ``listen``, ready; what it writes goes to the named file of the folder."""
    port = free_port()
    command = [sys.executable, "-m", "cxrbench", "listen", str(bundle), "--spool", str(folder / "spool"),
               "--port", str(port), "--send-to", orthanc.node]  # fmt: skip
    with (folder / log).open("ab") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env={**os.environ, "OMP_NUM_THREADS": "1"})

    def is_ready():
        assert process.poll() is None, (folder / log).read_text()
        return re.search(rf"listening: CXRBENCH on 127.0.0.1:{port};.*ready\n", (folder / log).read_text(), re.DOTALL)

    wait_until(is_ready, "not ready")
    assert echoes(port)
    return process, port


def echoes(port) -> bool:
    entity = patient_entity("ECHO")
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", port, ae_title="CXRBENCH")
    if not association.is_established:
        return False
    status = association.send_c_echo()
    association.release()
    return status.get("Status") == 0


def send(port, *films):
    entity = patient_entity("SCANNER")
    entity.add_requested_context(DX, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="CXRBENCH")
    assert association.is_established
    statuses = [association.send_c_store(film).get("Status") for film in films]
    association.release()
    return statuses


def test_what_the_listener_cannot_read_does_not_stop_it(answerer, spool, tmp_path, plain_film, caplog):
    """Sound headers, pixels that are none."""
    from cxrbench.pacs.destinations import Folder  # noqa: PLC0415

    receiver = Receiver(Listening(port=0), Intake(spool))
    with running(answerer, spool, Folder(tmp_path / "out"), receiver):
        broken = [film_dataset(plain_film, PixelData=b"\0" * size) for size in (0, 10, 1000)]
        broken.append(film_dataset(plain_film, Rows=60000, Columns=60000))
        sound = film_dataset(np.flipud(plain_film), SOPInstanceUID=generate_uid())
        assert set(send(receiver.port, *broken, sound)) == {0}
        wait_until(lambda: spool.is_empty, "the spool is not empty")
    assert caplog.text.count("not answered") == 4
    assert len(list((tmp_path / "out").glob("*/0.dcm"))) == 1
