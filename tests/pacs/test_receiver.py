"""Objects over the wire: what comes in is kept, what is broken does no harm."""

import logging
import socket
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification
from pynetdicom.transport import AssociationSocket

from cxrbench.data.images import dataset as datasets
from cxrbench.errors import DataError
from cxrbench.pacs import receiver as receiving
from cxrbench.pacs.intake import Intake
from cxrbench.pacs.receiver import Listening, Receiver
from cxrbench.pacs.source import read_source
from cxrbench.pacs.spool import Spool
from dicom_film import DX, film_dataset
from orthanc import SECONDS, patient_entity, wait_until


@pytest.fixture
def received(tmp_path):
    """A receiver of small objects, and its spool."""
    spool = Spool(tmp_path, "ab" * 32, most_waiting=3)
    receiver = Receiver(Listening(port=0, callers=("SCANNER",), most_mb=1), Intake(spool))
    receiver.start()
    yield receiver, spool
    receiver.stop()


def associate(receiver, *, title="SCANNER", called="CXRBENCH", syntax="1.2.840.10008.1.2.1"):
    entity = patient_entity(title)
    entity.add_requested_context(DX, syntax)
    entity.add_requested_context(Verification)
    return entity.associate("127.0.0.1", receiver.port, ae_title=called)


def send(receiver, *films):
    association = associate(receiver)
    assert association.is_established
    try:
        return [association.send_c_store(film).get("Status") for film in films]
    finally:
        association.release()


def test_it_is_there_for_whom_it_is_meant(received):
    receiver, _ = received
    association = associate(receiver)
    assert association.send_c_echo().Status == 0
    association.release()
    assert associate(receiver, title="STRANGER").is_rejected
    assert associate(receiver, called="ANOTHER").is_rejected


def test_a_film_is_kept_before_success_is_said(received, plain_film, caplog):
    receiver, spool = received
    film = film_dataset(plain_film, PatientName="Secret^Name")
    with caplog.at_level(logging.INFO):
        assert send(receiver, film, film) == [0, 0]
    assert spool.is_known(film.SOPInstanceUID)
    assert spool.next_film(0).read_bytes()[128:132] == b"DICM"
    assert len(list((spool.folder / "incoming").iterdir())) == 1
    assert "accepted" in caplog.text
    assert "Secret" not in caplog.text
    assert film.SOPInstanceUID not in caplog.text


def test_what_needs_no_answer_is_taken_and_left_out(received, plain_film, caplog):
    receiver, spool = received
    with caplog.at_level(logging.INFO):
        assert send(receiver, film_dataset(plain_film, ViewPosition="LL"), film_dataset(plain_film, Rows=None)) == [
            0,
            0,
        ]
    assert spool.is_empty
    assert "left out: a lateral or oblique film" in caplog.text
    assert "left out: it lacks what results must refer to" in caplog.text


def test_too_many_are_refused_and_told_to_come_again(received, plain_film):
    receiver, _ = received
    assert send(receiver, *(film_dataset(plain_film) for _ in range(4))) == [0, 0, 0, 0xA700]


def test_too_large_ends_the_association(received):
    receiver, spool = received
    assert send(receiver, film_dataset(np.zeros((1024, 1024), np.uint8))) == [None]
    assert spool.is_empty
    assert send(receiver, film_dataset(np.zeros((64, 64), np.uint8))) == [0]


def is_closed(connection):
    """Whether the other side ends a connection, in order or not."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


HALF = b"\x01\x00\x00\x00"
"""Of the six bytes that every PDU begins with."""


def half_sent(receiver):
    """A connection whose sender says no more in the middle of a PDU."""
    connection = socket.create_connection(("127.0.0.1", receiver.port), timeout=SECONDS)
    connection.sendall(HALF)
    return connection


def test_who_stops_in_the_middle_is_not_waited_for(received, plain_film, monkeypatch):
    """As many as there is room for, and then a film."""
    receiver, _ = received
    monkeypatch.setattr(receiving, "SECONDS", 1)
    receiver._entity.acse_timeout = 1
    silent = [half_sent(receiver) for _ in range(receiving.MOST_ASSOCIATIONS)]
    assert all(map(is_closed, silent))
    for connection in silent:
        connection.close()
    wait_until(lambda: not receiver._entity.active_associations, "a connection is still open")
    monkeypatch.undo()
    receiver._entity.acse_timeout = receiving.SECONDS
    assert send(receiver, film_dataset(plain_film)) == [0]


def test_who_stops_in_the_middle_does_not_keep_it_from_stopping(received, monkeypatch):
    """However long a connection may be silent."""
    receiver, _ = received
    monkeypatch.setattr(receiving, "SECONDS", 10 * SECONDS)
    monkeypatch.setattr(receiving, "LEAVE_SECONDS", 0.1)
    is_reading = threading.Event()
    own = AssociationSocket.recv
    monkeypatch.setattr(AssociationSocket, "recv", lambda *given: (is_reading.set(), own(*given))[1])
    with closing(half_sent(receiver)):
        assert is_reading.wait(SECONDS)
        stopping = threading.Thread(target=receiver.stop, daemon=True)
        stopping.start()
        stopping.join(SECONDS)
        assert not stopping.is_alive()


@pytest.mark.parametrize("kind", [b"\x01", b"\x04"], ids=["A-ASSOCIATE-RQ", "P-DATA-TF"])
def test_a_pdu_that_declares_gigabytes_is_not_read(received, plain_film, caplog, kind):
    receiver, _ = received
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=SECONDS) as connection:
        connection.sendall(kind + b"\x00" + (2**31).to_bytes(4, "big"))
        assert is_closed(connection)
    assert "a PDU that declares 2147483648 bytes" in caplog.text
    assert send(receiver, film_dataset(plain_film)) == [0]


def test_what_inflates_beyond_any_film_is_refused(received, plain_film, tmp_path, monkeypatch):
    """Before it is inflated as a whole: when it comes in, and when a file of it is answered."""
    receiver, spool = received
    monkeypatch.setattr(datasets, "MAX_INFLATED", 2**22)
    film = film_dataset(plain_film, PixelData=b"\0" * 2**23)
    film.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    association = associate(receiver, syntax=DeflatedExplicitVRLittleEndian)
    film.save_as(tmp_path / "bomb.dcm", enforce_file_format=True)
    whole = (tmp_path / "bomb.dcm").read_bytes()
    content = whole[144 + int.from_bytes(whole[140:144], "little") :]
    assert len(content) < 2**16
    assert send_raw(association, film.SOPInstanceUID, content) == 0xC000
    association.release()
    assert spool.is_empty
    with pytest.raises(DataError, match="inflates to more than"):
        read_source(tmp_path / "bomb.dcm")


@pytest.mark.filterwarnings("ignore")  # pydicom's, which the command silences
def test_broken_objects_do_no_harm(received, plain_film):
    """Bytes that no library would send: flipped, cut, and nonsense, each followed by a sound film."""
    receiver, spool = received
    rng = np.random.default_rng(0)
    uids = {"SOPInstanceUID": "1.2.3", "StudyInstanceUID": "1.2.4", "SeriesInstanceUID": "1.2.5"}
    sound = film_dataset(plain_film, **uids)
    whole = encoded(sound)
    association = associate(receiver)
    statuses = set()
    for number in range(40):
        content = bytearray(whole[: rng.integers(1, len(whole))] if number % 2 else whole)
        for place in rng.integers(0, min(len(content), 900), size=8):
            content[place] = rng.integers(256)
        statuses.add(send_raw(association, sound.SOPInstanceUID, bytes(content)))
        if not association.is_established:
            association = associate(receiver)
    association.release()
    assert len(statuses) > 1
    while (film := spool.next_film(0)) is not None:
        spool.refuse(film, "broken")
    assert send(receiver, film_dataset(plain_film)) == [0]


def encoded(film) -> bytes:
    from io import BytesIO  # noqa: PLC0415

    stream = BytesIO()
    film.save_as(stream, implicit_vr=False, little_endian=True, enforce_file_format=False)
    return stream.getvalue()


def send_raw(association, uid, content):
    """C-STORE of bytes as they are."""
    from io import BytesIO  # noqa: PLC0415

    request = C_STORE()
    request.MessageID, request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = 1, DX, uid
    request.Priority, request.DataSet = 2, BytesIO(content)
    context = next(one for one in association.accepted_contexts if one.abstract_syntax == DX)
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        if not association.is_alive():
            return None
        time.sleep(0.01)
    association.dimse.send_msg(request, context.context_id)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return None if response is None else response.Status
