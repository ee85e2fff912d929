"""A Storage SCP that films are sent to (C-STORE), and that can be asked whether it is there (C-ECHO)."""

import io
import logging
import socket
import time
from contextlib import suppress
from dataclasses import dataclass

import pydicom
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when it is asked for
from pynetdicom.transport import AssociationSocket, ThreadedAssociationServer

from cxrbench.data.images.dataset import check_inflated
from cxrbench.data.images.dicom import PROBLEMS
from cxrbench.data.images.pixels import Unreadable
from cxrbench.errors import ConfigError
from cxrbench.pacs.intake import MEGABYTE, MOST_MB, Intake, log_name
from cxrbench.pacs.spool import Full

LOG = logging.getLogger(__name__)

FILMS = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)
SUCCESS, OUT_OF_RESOURCES, MISMATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000
MOST_ASSOCIATIONS = 8
SECONDS = 60
"""Without a word from the sender, after which an association is ended."""
MOST_PDU = MEGABYTE
"""Bytes that one PDU may declare: pynetdicom reads as many before anybody is asked. It tells senders 16,382."""
LEAVE_SECONDS = 5
"""For senders to finish when the receiver stops."""
RECEIVED = "cxrbench_received"
"""Attribute of an association: bytes of the message that is coming in."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where and whom to listen to.

    Attributes:
        title: Own AE title.
        host: Address to bind.
        port: Likewise; 0: a free one.
        callers: AE titles that may send; empty: all.
        most_mb: Of one object.
    """

    title: str = "CXRBENCH"
    host: str = "127.0.0.1"
    port: int = 11112
    callers: tuple[str, ...] = ()
    most_mb: int = MOST_MB


class Receiver:
    """Listens from ``start`` to ``stop``."""

    def __init__(self, listening: Listening, intake: Intake) -> None:
        """Listen to nothing yet."""
        self._listening, self._intake = listening, intake
        self._entity = _entity(listening)
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._server is None:
            raise ValueError("the receiver was not started")
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen in threads of its own.

        Raises:
            ConfigError: The address cannot be bound.
        """
        handlers = [
            (evt.EVT_CONN_OPEN, lambda event: _bound(event.assoc.dul.socket)),
            (evt.EVT_C_ECHO, lambda _event: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_PDU_RECV, self._count),
            (evt.EVT_DIMSE_RECV, lambda event: setattr(event.assoc, RECEIVED, 0)),
        ]
        address = (self._listening.host, self._listening.port)
        try:
            self._server = self._entity.start_server(address, block=False, evt_handlers=handlers)  # type: ignore[arg-type]
        except OSError as error:
            raise ConfigError(f"cannot listen on {address[0]}:{address[1]}: {error.strerror or error}") from None

    def stop(self) -> None:
        """Take no more associations, let those that are open end, and end them where they do not."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        until = time.monotonic() + LEAVE_SECONDS
        while self._entity.active_associations and time.monotonic() < until:
            time.sleep(0.05)
        self._hang_up()
        self._entity.shutdown()

    def _hang_up(self) -> None:
        """Wake threads that wait for the rest of what a sender began to send; an abort would wait for them."""
        for association in self._entity.active_associations:
            with suppress(AttributeError, OSError):  # it has just ended by itself
                association.dul.socket.socket.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    def _store(self, event: evt.Event) -> int:
        """Answer one C-STORE request: success means that the film is on disk, or needs no answer."""
        uid = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr]
        try:
            content = event.encoded_dataset()
            check_inflated(content)
            header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
            if str(header.get("SOPInstanceUID")) != uid:
                return MISMATCH
            self._intake.take(header, content)
        except Full:
            LOG.warning("%s refused: too many films wait", log_name(uid))
            return OUT_OF_RESOURCES
        except OSError as error:
            LOG.error("%s refused: it cannot be written (%s)", log_name(uid), error.strerror)
            return OUT_OF_RESOURCES
        except (*PROBLEMS, Unreadable):
            LOG.info("%s refused: unreadable header", log_name(uid))
            return NOT_UNDERSTOOD
        return SUCCESS

    def _count(self, event: evt.Event) -> None:
        """End an association whose message grows beyond the limit, before memory is full of it."""
        if not isinstance(event.pdu, P_DATA_TF):
            return
        received = getattr(event.assoc, RECEIVED, 0) + event.pdu.pdu_length
        setattr(event.assoc, RECEIVED, received)
        if received > self._listening.most_mb * MEGABYTE:
            LOG.warning("association ended: an object of more than %d MB", self._listening.most_mb)
            event.assoc.abort()


def _bound(connection: AssociationSocket | None) -> None:
    """Bound how long a connection is silent, and how much is read of it at once."""
    if connection is None or connection.socket is None:  # it has just ended by itself
        return
    read, own = connection.recv, connection.socket

    def recv(count: int) -> bytearray:
        if count <= MOST_PDU:
            return read(count)
        LOG.warning("association ended: a PDU that declares %d bytes", count)
        own.shutdown(socket.SHUT_RDWR)
        raise OSError(f"a PDU of more than {MOST_PDU} bytes")  # which pynetdicom takes for a broken connection

    own.settimeout(SECONDS)
    connection.recv = recv  # type: ignore[assignment,method-assign]


def _entity(listening: Listening) -> AE:
    """An application entity that takes films in any transfer syntax that films come in."""
    entity = AE(ae_title=listening.title)
    syntaxes: list[str | UID] = [one for one in AllTransferSyntaxes if not one.is_private]
    for film in FILMS:
        entity.add_supported_context(film, syntaxes)
    entity.add_supported_context(Verification)
    entity.require_called_aet = True
    entity.require_calling_aet = list(listening.callers)
    entity.maximum_associations = MOST_ASSOCIATIONS
    entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = SECONDS
    return entity
