"""What becomes of an object that comes in: kept to be answered, or left out for a reason."""

import logging

import pydicom

from cxrbench.data.images.pixels import Unreadable
from cxrbench.pacs.refusing import Unanswerable, check_answerable
from cxrbench.pacs.source import source_of
from cxrbench.pacs.spool import Spool
from cxrbench.pacs.uids import short_hash

LOG = logging.getLogger(__name__)
"""Objects are named by a hash of their UID; nothing that a header says is ever logged."""
NAME = 12
"""Characters of a hash that logs show."""
MEGABYTE = 2**20
MOST_MB = 200
"""Of one object, unless told otherwise."""


def log_name(uid: str) -> str:
    """An object's name in logs."""
    return short_hash(uid)[:NAME]


class Intake:
    """The door of a spool."""

    def __init__(self, spool: Spool) -> None:
        """Of this spool."""
        self._spool = spool

    def is_known(self, uid: str) -> bool:
        """Return whether an object need not be fetched again."""
        return self._spool.is_known(uid)

    def take(self, header: pydicom.Dataset, content: bytes) -> None:
        """Keep one film, or leave it out; both are said in the log.

        Args:
            header: Its elements; pixel data are not needed.
            content: The whole file.

        Raises:
            Full: Too many films wait.
            OSError: It cannot be written.
        """
        uid = str(header.get("SOPInstanceUID") or "")
        try:
            check_answerable(header)
            source_of(header)
        except Unanswerable as reason:
            LOG.info("%s left out: %s", log_name(uid), reason.short)
        except (ValueError, Unreadable):
            LOG.info("%s left out: it lacks what results must refer to", log_name(uid))
        else:
            is_new = self._spool.accept(uid, content)
            LOG.info("%s %s", log_name(uid), "accepted" if is_new else "is here already, or was answered")
