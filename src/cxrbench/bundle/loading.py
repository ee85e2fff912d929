"""Opening a bundle: nothing in it is executed, and what was altered since it was made is refused."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxrbench.bundle import format2
from cxrbench.bundle.card import card as written_card
from cxrbench.bundle.documents import DIGEST, check_digest, check_file, check_sha256, parse_document, read_document
from cxrbench.bundle.packages import obstacle_of, with_absent_parts
from cxrbench.bundle.record import (
    BUNDLE_FILE,
    CARD_FILE,
    FORMAT,
    FORMAT_VERSION,
    REFERENCE_FILE,
    BundleRecord,
    Member,
)
from cxrbench.bundle.reference import Reference, check_fits
from cxrbench.config import Feature
from cxrbench.data.geometry import DEFINITION
from cxrbench.errors import BundleError

if TYPE_CHECKING:  # whoever reads a bundle's card or figures needs no torch
    from cxrbench.models.classifier import Classifier

REMEDY = "get the bundle anew from whoever made it, or make it again: cxrbench bundle"


@dataclass(frozen=True)
class Bundle:
    """A trained model with all that is needed to use it.

    Attributes:
        folder: Where it lies; it may be moved.
        record: What ``bundle.json`` says.
        reference: Outputs that a sound installation gives.
        card: Model card, Markdown.
        digest: SHA-256 (hex) that names the bundle: of its description as it was written, hence of its weights.
        allowed_modules: Python modules that it may import to build its networks, beside those of installed packages.
        export: Folder of an export of it that lies elsewhere, to compute with; None: those within the bundle.
    """

    folder: Path
    record: BundleRecord
    reference: Reference
    card: str
    digest: str
    allowed_modules: tuple[str, ...] = ()
    export: Path | None = None

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the L outputs of the networks, in order."""
        return self.record.findings

    @property
    def answered(self) -> tuple[str, ...]:
        """Names of the K findings that are answered: outputs that the networks could learn, in order."""
        return self.record.answered

    @property
    def columns(self) -> list[int]:
        """Columns of the answered findings among the outputs."""
        return [self.findings.index(name) for name in self.answered]

    @property
    def members(self) -> tuple[Member, ...]:
        """Networks whose probabilities are averaged; one, unless it is an ensemble."""
        return self.record.members

    @property
    def features(self) -> tuple[Feature, ...]:
        """Non-image features that some member uses."""
        used = {feature for member in self.members for feature in member.approach.network.features}
        return tuple(feature for feature in ("age", "sex", "view") if feature in used)

    @property
    def store_sizes(self) -> tuple[int, ...]:
        """Sides that a film is shrunk to, pixels, ascending."""
        return tuple(sorted({member.approach.input.store_size for member in self.members}))

    def is_calibrated(self, finding: str) -> bool:
        """Return whether every member's outputs for a finding could be calibrated."""
        return all(member.calibrations[finding].is_fitted for member in self.members)

    def weights_of(self, member: Member) -> Path:
        """Where a member's weights lie."""
        return self.folder / member.weights.file

    def code_obstacle(self, *members: Member) -> str | None:
        """Return why networks cannot be built by torch here, for want of code; of all members unless some are given."""
        reasons = (
            obstacle_of(member.approach.network, member.packages, allowed=self.allowed_modules)
            for member in members or self.members
        )
        return next(filter(None, reasons), None)

    def classifier(self, member: Member) -> "Classifier":
        """Return a member's torch network with its weights, in evaluation mode.

        Raises:
            BundleError: Code that builds it is not installed or not allowed, or the weights do not fit.
        """
        if reason := self.code_obstacle(member):
            raise BundleError(f"{self.folder}: {reason}")
        from cxrbench.bundle.network import load_classifier  # noqa: PLC0415 - torch is slow to import

        return load_classifier(member, self.weights_of(member), findings=len(self.findings))


def load_bundle(folder: Path, *, allowed_modules: Collection[str] = ()) -> Bundle:
    """Open a bundle and see that it is as it was made: sizes and SHA-256 of all its members.

    A bundle of version 0.1 is read as one of today's, under its own digest; its card is written anew from it.

    Args:
        folder: Where it lies.
        allowed_modules: Python modules that it may import to build its networks; those of installed entry points need
            no permission.

    Raises:
        BundleError: It is no bundle, or was made by a newer version, altered, or cut short; names the file.
    """
    path = folder / BUNDLE_FILE
    raw = _described(path)
    version = _version(raw, folder)
    described = check_digest(raw, path, remedy=REMEDY)
    if version == format2.VERSION:
        described = format2.upgraded(described, path, remedy=REMEDY)
    if isinstance(described.get("members"), list):
        described["members"] = [with_absent_parts(member) for member in described["members"]]
    record = parse_document(described, BundleRecord, path, remedy=REMEDY)
    _check_geometry(record, folder)
    card = folder / CARD_FILE
    check_sha256(card, record.card_sha256, remedy=REMEDY)
    for member in record.members:
        check_file(member.weights, folder, remedy=REMEDY)
    text = card.read_text(encoding="utf-8") if version == FORMAT_VERSION else written_card(record)
    return Bundle(folder, record, _reference(record, folder), text, raw[DIGEST], tuple(allowed_modules))


def _reference(record: BundleRecord, folder: Path) -> Reference:
    """Read the outputs that a sound installation gives; they must fit the record."""
    path = folder / REFERENCE_FILE
    reference = parse_document(_described(path), Reference, path, remedy=REMEDY)
    check_sha256(path, record.reference_sha256, remedy=REMEDY)
    check_fits(reference, record.members, record.findings, where=str(path))
    return reference


def _check_geometry(record: BundleRecord, folder: Path) -> None:
    """Refuse a bundle whose films were made square by another rule."""
    if record.geometry != DEFINITION:
        raise BundleError(
            f"{folder}: its films were made square in another way ({record.geometry!r}) than this version does it "
            f"({DEFINITION!r}); use the version it was made with"
        )


def _described(path: Path) -> dict[str, Any]:
    """A JSON document of a bundle."""
    if not path.is_file():
        raise BundleError(
            f"{path.parent} is not a bundle: it has no {path.name}; cxrbench bundle makes one from a study"
        )
    return read_document(path, remedy=REMEDY)


def _version(raw: dict[str, Any], folder: Path) -> int:
    """Return the format's version; refuse what is no bundle, or one that this version would misunderstand."""
    if raw.get("format") != FORMAT:
        raise BundleError(f"{folder} is not a bundle: {BUNDLE_FILE} says format {raw.get('format')!r}, not {FORMAT!r}")
    version = raw.get("format_version")
    if version not in (format2.VERSION, FORMAT_VERSION):
        raise BundleError(
            f"{folder} has format version {version!r}, this cxrbench reads {format2.VERSION} and {FORMAT_VERSION}; "
            "use the version it was made with, or make it again: cxrbench bundle"
        )
    return int(version)
