"""Names of results that follow from what they answer: the same film and bundle give the same UIDs, wherever and when.

So results that are sent twice are the same objects, and an archive keeps one of each.
"""

import hashlib
import uuid

from pydicom.uid import UID

FORM = 2
"""Raised when results say other things of the same answer: what says something else needs another UID."""


def derived_uid(*parts: str) -> UID:
    """A UID under 2.25, from a UUID that is derived from the parts.

    Source: DICOM PS3.5 B.2; RFC 9562 section 5.5.
    """
    name = "\n".join((f"cxrbench {FORM}", *parts))
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}")


def short_hash(uid: str) -> str:
    """A UID as logs show it and files of the spool are named: the same for the same object, nothing of the patient."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]
