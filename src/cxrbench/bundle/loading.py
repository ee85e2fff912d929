"""Opening a bundle: nothing in it is executed, and what was altered since it was made is refused."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxrbench.bundle.record import BUNDLE_FILE, FORMAT, FORMAT_VERSION, REFERENCE_FILE, BundleRecord, FileRecord, Member
from cxrbench.bundle.reference import Reference
from cxrbench.config import AnySettings, Feature, parse_settings
from cxrbench.data.geometry import DEFINITION
from cxrbench.errors import BundleError, ConfigError
from cxrbench.files import digest_file, digest_json

if TYPE_CHECKING:  # whoever reads a bundle's card or figures needs no torch
    from cxrbench.models.classifier import Classifier

MAX_JSON_BYTES = 64 * 2**20
REMEDY = "get the bundle anew from whoever made it, or make it again: cxrbench bundle"


@dataclass(frozen=True)
class Bundle:
    """A trained model with all that is needed to use it.

    Attributes:
        folder: Where it lies; it may be moved.
        record: What ``bundle.json`` says.
        reference: Outputs that a sound installation gives.
    """

    folder: Path
    record: BundleRecord
    reference: Reference

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the L outputs, in order."""
        return self.record.findings

    @property
    def members(self) -> tuple[Member, ...]:
        """Networks whose probabilities are averaged; one, unless it is an ensemble."""
        return self.record.members

    @property
    def features(self) -> tuple[Feature, ...]:
        """Non-image features that some member uses."""
        used = {feature for member in self.members for feature in member.approach.features}
        return tuple(feature for feature in ("age", "sex", "view") if feature in used)

    @property
    def store_sizes(self) -> tuple[int, ...]:
        """Sides that a film is shrunk to, pixels, ascending."""
        return tuple(sorted({member.approach.input.store_size for member in self.members}))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) that names this bundle: of its description, hence of its weights."""
        return digest_json(self.record.model_dump(mode="json"))

    def is_calibrated(self, finding: str) -> bool:
        """Whether every member's outputs for a finding could be calibrated."""
        return all(member.calibrations[finding].is_fitted for member in self.members)

    def weights_of(self, member: Member) -> Path:
        """Where a member's weights lie."""
        return self.folder / member.weights.file

    def classifier(self, member: Member) -> "Classifier":
        """A member's torch network with its weights, in evaluation mode."""
        from cxrbench.bundle.network import load_classifier  # noqa: PLC0415 - torch is slow to import

        return load_classifier(member, self.weights_of(member), findings=len(self.findings))


def load_bundle(folder: Path) -> Bundle:
    """Open a bundle and see that it is as it was made: sizes and SHA-256 of all its members.

    Raises:
        BundleError: It is no bundle, or was made by a newer version, altered, or cut short; names the file.
    """
    raw = _read_json(folder / BUNDLE_FILE, folder)
    _check_format(raw, folder)
    digest = raw.pop("digest", None)
    if digest != digest_json(raw):
        raise BundleError(f"{folder / BUNDLE_FILE}: altered since it was made (its digest differs); {REMEDY}")
    record = _parsed(raw, BundleRecord, folder / BUNDLE_FILE)
    if record.geometry != DEFINITION:
        raise BundleError(
            f"{folder}: its films were made square in another way ({record.geometry!r}) than this version does it "
            f"({DEFINITION!r}); use the version it was made with"
        )
    path = folder / REFERENCE_FILE
    reference = _parsed(_read_json(path, folder), Reference, path)
    if digest_file(path) != record.reference_sha256:
        raise BundleError(f"{path}: altered since the bundle was made (its SHA-256 differs); {REMEDY}")
    for member in record.members:
        _check_file(member.weights, folder)
    return Bundle(folder, record, reference)


def _read_json(path: Path, folder: Path) -> dict[str, Any]:
    """A JSON document of a bundle."""
    if not path.is_file():
        raise BundleError(f"{folder} is not a bundle: it has no {path.name}; cxrbench bundle makes one from a study")
    if path.stat().st_size > MAX_JSON_BYTES:
        raise BundleError(f"{path}: {path.stat().st_size:,} bytes are too many for a bundle's description; {REMEDY}")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise BundleError(f"{path}: truncated or damaged ({str(error)[:120]}); {REMEDY}") from None
    if not isinstance(raw, dict):
        raise BundleError(f"{path}: expected keys and values, got {type(raw).__name__}; {REMEDY}")
    return raw


def _check_format(raw: dict[str, Any], folder: Path) -> None:
    """Refuse what is no bundle, or one that this version would misunderstand."""
    if raw.get("format") != FORMAT:
        raise BundleError(f"{folder} is not a bundle: {BUNDLE_FILE} says format {raw.get('format')!r}, not {FORMAT!r}")
    if raw.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{folder} has format version {raw.get('format_version')!r}, this cxrbench reads {FORMAT_VERSION}; "
            "use the version it was made with"
        )


def _parsed(raw: dict[str, Any], model: type[AnySettings], path: Path) -> AnySettings:
    try:
        return parse_settings(raw, model, where=str(path))
    except ConfigError as error:
        raise BundleError(f"{error}; {REMEDY}") from None


def _check_file(expected: FileRecord, folder: Path) -> None:
    """Refuse a file that is not the one the bundle was made with."""
    path = folder / expected.file
    if ".." in Path(expected.file).parts or not path.is_file():
        raise BundleError(f"{folder} lacks {expected.file}; {REMEDY}")
    if (size := path.stat().st_size) != expected.bytes:
        raise BundleError(f"{path}: {size:,} bytes, expected {expected.bytes:,}: truncated or exchanged; {REMEDY}")
    if digest_file(path) != expected.sha256:
        raise BundleError(f"{path}: altered since the bundle was made (its SHA-256 differs); {REMEDY}")
