"""Where results go: a DICOM node, a DICOMweb server, or a folder."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pydicom
from dicomweb_client import DICOMwebClient
from pydicom.uid import (
    UID,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE
from pynetdicom.presentation import build_context
from requests import RequestException

from cxrbench.data.images.dicom import PROBLEMS
from cxrbench.errors import ConfigError
from cxrbench.pacs.durable import flush

SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
RESULTS = (EnhancedSRStorage, SecondaryCaptureImageStorage, GrayscaleSoftcopyPresentationStateStorage)
"""SOP classes of results."""
SECONDS = 30
ADDRESS = re.compile(r"(?P<title>[\x21-\x7e]{1,16}?)@(?P<host>[^@\s]+):(?P<port>\d{1,5})")
OUT_OF_RESOURCES = range(0xA700, 0xA800)
TRY_LATER = 500


class Unreachable(Exception):  # noqa: N818 - a state, which passes
    """The destination is not there, or has no room now: try again."""


class Rejected(Exception):  # noqa: N818 - an answer, not a fault of this program
    """The destination will not have the results."""


class Destination(Protocol):
    """Takes the results of one film."""

    def deliver(self, results: Sequence[Path]) -> None:
        """Hand over all results of a film; those that were handed over before may come again.

        Raises:
            Unreachable: Try again later.
            Rejected: It will not have them.
        """
        ...


@dataclass(frozen=True)
class Folder:
    """A folder that gets a folder per film."""

    folder: Path

    def deliver(self, results: Sequence[Path]) -> None:
        """Copy the results; see ``Destination``."""
        for path in results:
            target = self.folder / path.parent.name / path.name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target.with_name(f".{target.name}"))
                flush(target.with_name(f".{target.name}"))
                target.with_name(f".{target.name}").replace(target)
                for folder in (target.parent, self.folder):
                    flush(folder)
            except OSError as error:
                raise Unreachable(error.strerror or str(error)) from None


@dataclass(frozen=True)
class Node:
    """A Storage SCP.

    Attributes:
        title: Its AE title.
        host: Where it listens.
        port: Likewise.
        own_title: Our AE title.
    """

    title: str
    host: str
    port: int
    own_title: str

    def deliver(self, results: Sequence[Path]) -> None:
        """Store the results by C-STORE, in one association; see ``Destination``."""
        read = [_read(path) for path in results]
        entity = AE(ae_title=self.own_title)
        entity.requested_contexts = [build_context(one, SYNTAXES) for one in RESULTS]
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = SECONDS
        association = entity.associate(self.host, self.port, ae_title=self.title)
        if not association.is_established:
            raise Unreachable("no association")
        try:
            for result in read:
                self._store(association, result)
        finally:
            association.release()

    def _store(self, association: Any, result: pydicom.Dataset) -> None:
        """One C-STORE."""
        try:
            status = association.send_c_store(result)
        except ValueError:  # no presentation context for it was accepted
            raise Rejected(f"it does not take {result.SOPClassUID.name}") from None
        except RuntimeError:
            raise Unreachable("the association ended") from None
        code = status.get("Status")
        if code is None or code in OUT_OF_RESOURCES:
            raise Unreachable("no answer" if code is None else "out of resources")
        if code != 0x0000 and code >> 12 != 0xB:
            raise Rejected(f"status {code:#06x} for {result.SOPClassUID.name}")


@dataclass(frozen=True)
class Web:
    """A DICOMweb server."""

    client: DICOMwebClient

    def deliver(self, results: Sequence[Path]) -> None:
        """Store the results by STOW-RS; see ``Destination``."""
        read = [_read(path) for path in results]
        try:
            stored = self.client.store_instances(read)
        except RequestException as error:
            code = None if error.response is None else error.response.status_code
            if code is None or code >= TRY_LATER:
                raise Unreachable("no answer" if code is None else f"HTTP {code}") from None
            raise Rejected(f"HTTP {code}") from None
        if stored.get("FailedSOPSequence"):
            raise Rejected(f"{len(stored.FailedSOPSequence)} of {len(results)} objects were not stored")


def _read(path: Path) -> pydicom.Dataset:
    """A result that waited on disk.

    Raises:
        Rejected: It is damaged.
    """
    try:
        return pydicom.dcmread(path)
    except PROBLEMS as error:
        raise Rejected(f"a result cannot be read ({type(error).__name__})") from None


def destination_of(
    *, send_to: str | None, folder: Path | None, client: DICOMwebClient | None, own_title: str
) -> Destination:
    """The one destination that was named.

    Args:
        send_to: A node, as ``AE@host:port``.
        folder: A folder.
        client: A DICOMweb server's.
        own_title: Our AE title.

    Raises:
        ConfigError: None or several were named, or not such an address.
    """
    if sum(one is not None for one in (send_to, folder, client)) != 1:
        raise ConfigError("name one destination of the results: --send-to, --out or --dicomweb")
    if client is not None:
        return Web(client)
    return Folder(folder) if folder is not None else node_at(send_to or "", own_title=own_title)


def node_at(address: str, *, own_title: str) -> Node:
    """The node at ``AE@host:port``.

    Raises:
        ConfigError: Not such an address.
    """
    found = ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ConfigError(f"--send-to {address}: expected AE@host:port, as PACS@127.0.0.1:104")
    return Node(found["title"], found["host"], int(found["port"]), own_title)
