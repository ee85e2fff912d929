"""JSON documents that describe a folder, and the files that they name: what was altered since is refused."""

import json
from pathlib import Path
from typing import Any

from cxrbench.bundle.record import FileRecord
from cxrbench.config import AnySettings, parse_settings
from cxrbench.errors import BundleError, ConfigError
from cxrbench.files import digest_file, digest_json

MAX_JSON_BYTES = 64 * 2**20
DIGEST = "digest"
"""Key of a document that covers all its other keys."""


def read_document(path: Path, *, remedy: str) -> dict[str, Any]:
    """The keys and values of a JSON document.

    Args:
        path: Of the document.
        remedy: What to do where it cannot be used; ends the message.

    Raises:
        BundleError: Absent, too large, cut short, or no mapping.
    """
    try:
        if (size := path.stat().st_size) > MAX_JSON_BYTES:
            raise BundleError(f"{path}: {size:,} bytes are too many for a description; {remedy}")
        raw = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(raw, ensure_ascii=False).encode()  # JSON can spell what is no text: half of a surrogate pair
    except (ValueError, RecursionError, OSError) as error:
        raise BundleError(f"{path}: absent, truncated or damaged ({str(error)[:120]}); {remedy}") from None
    if not isinstance(raw, dict):
        raise BundleError(f"{path}: expected keys and values, got {type(raw).__name__}; {remedy}")
    return raw


def check_digest(raw: dict[str, Any], path: Path, *, remedy: str) -> dict[str, Any]:
    """The document without its digest, which must cover the rest.

    Raises:
        BundleError: It does not.
    """
    rest = {key: value for key, value in raw.items() if key != DIGEST}
    if raw.get(DIGEST) != digest_json(rest):
        raise BundleError(f"{path}: altered since it was written (its digest differs); {remedy}")
    return rest


def parse_document(raw: dict[str, Any], model: type[AnySettings], path: Path, *, remedy: str) -> AnySettings:
    """The document's content, validated.

    Raises:
        BundleError: A key is unknown, absent or out of range.
    """
    try:
        return parse_settings(raw, model, where=str(path))
    except ConfigError as error:
        raise BundleError(f"{error}; {remedy}") from None


def check_file(expected: FileRecord, folder: Path, *, remedy: str) -> None:
    """Refuse a file that is not the one that was written.

    Raises:
        BundleError: Absent, of another size, or of other content.
    """
    path = folder / expected.file
    _check_there(path, remedy=remedy)
    if (size := path.stat().st_size) != expected.bytes:
        raise BundleError(f"{path}: {size:,} bytes, expected {expected.bytes:,}: truncated or exchanged; {remedy}")
    check_sha256(path, expected.sha256, remedy=remedy)


def check_sha256(path: Path, expected: str, *, remedy: str) -> None:
    """Refuse a file whose content is not what was written.

    Raises:
        BundleError: Absent, or of another SHA-256 (hex).
    """
    _check_there(path, remedy=remedy)
    if digest_file(path) != expected:
        raise BundleError(f"{path}: altered since it was written (its SHA-256 differs); {remedy}")


def _check_there(path: Path, *, remedy: str) -> None:
    """Refuse a file that is absent."""
    if not path.is_file():
        raise BundleError(f"{path.parent} lacks {path.name}; {remedy}")
