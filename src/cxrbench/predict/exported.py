"""What ``cxrbench export`` wrote, and opening it: an export that was altered, or of another bundle, is refused."""

import json
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from cxrbench.bundle import Bundle, Member
from cxrbench.bundle.record import FileRecord
from cxrbench.config import Settings, parse_settings
from cxrbench.errors import BundleError, ConfigError
from cxrbench.files import digest_file, digest_json

EXPORTS_FOLDER, EXPORT_FILE = "exports", "export.json"
PREPROCESSING_SUFFIX = "-with-preprocessing"
FILM, FEATURES, LOGITS = "film", "features", "logits"
TOLERANCE = 1e-4
"""Largest difference of a logit from torch's, or of its share where it is above 1: another order of the same sums."""

Form = Literal["onnx", "openvino"]
FORMS: tuple[Form, ...] = get_args(Form)


class TensorRecord(Settings):
    """An input or output of an exported network."""

    name: str
    type: Literal["uint8", "float32"]
    shape: tuple[str | int, ...] = Field(description="names are free: any number of films at once")
    meaning: str


class AucParity(Settings):
    """How well torch and the export tell one finding on the test part of the member's split."""

    finding: str
    images: int
    torch: float
    exported: float


class ExportedMember(Settings):
    """One network of the export."""

    files: tuple[FileRecord, ...] = Field(min_length=1, description="the first is the one to open")
    inputs: tuple[TensorRecord, ...]
    outputs: tuple[TensorRecord, ...]
    films_checked: int
    largest_difference: float = Field(description="of a logit from torch's, relative where it is above 1")
    auc: tuple[AucParity, ...] = Field((), description="where a study's predictions were at hand")


class ExportRecord(Settings):
    """An export's description; ``digest`` in the file covers all of it."""

    format: Literal["cxrbench export"] = "cxrbench export"
    format_version: Literal[1] = 1
    form: Form
    has_preprocessing: bool
    opset: int = Field(description="version of ONNX's operators that the networks are written with")
    bundle: str = Field(description="SHA-256 that names the bundle")
    made_with: dict[str, str] = Field(description="versions")
    notices: tuple[str, ...] = Field(description="what must be said wherever the model is shown")
    findings: tuple[str, ...] = Field(description="the outputs' names, in order")
    members: tuple[ExportedMember, ...]


def as_form(name: str) -> Form:
    """The form of that name.

    Raises:
        ConfigError: There is none; the message lists the names.
    """
    for form in FORMS:
        if form == name:
            return form
    raise ConfigError(f"unknown form {name!r}; valid names: {', '.join(FORMS)}")


def export_folder(bundle: Bundle, form: Form, *, has_preprocessing: bool = False) -> Path:
    """Where an export lies unless it was given another place."""
    return bundle.folder / EXPORTS_FOLDER / (form + PREPROCESSING_SUFFIX * has_preprocessing)


def exported_network(bundle: Bundle, member: Member, form: Form) -> Path:
    """A member's exported network, for a runtime to open.

    Raises:
        ConfigError: The bundle has no such export.
        BundleError: The export was altered, cut short, or made from another bundle.
    """
    folder = export_folder(bundle, form)
    if not (folder / EXPORT_FILE).is_file():
        raise ConfigError(f"{bundle.folder} has no export for {form}; make it: cxrbench export --to {form}")
    record = load_export(folder, bundle)
    return folder / record.members[bundle.members.index(member)].files[0].file


def load_export(folder: Path, bundle: Bundle) -> ExportRecord:
    """Read an export's description, and see that its files are those that were written.

    Raises:
        BundleError: It was altered, cut short, or made from another bundle; names the file.
    """
    path = folder / EXPORT_FILE
    raw = _read(path)
    if raw.pop("digest", None) != digest_json(raw):
        raise BundleError(f"{path}: altered since it was written (its digest differs); {_remedy(folder)}")
    try:
        record = parse_settings(raw, ExportRecord, where=str(path))
    except ConfigError as error:
        raise BundleError(f"{error}; {_remedy(folder)}") from None
    if record.bundle != bundle.digest:
        raise BundleError(
            f"{folder} was made from bundle {record.bundle[:12]}, not {bundle.digest[:12]}; {_remedy(folder)}"
        )
    for member in record.members:
        for file in member.files:
            _check_file(file, folder)
    return record


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise BundleError(f"{path}: absent or damaged ({str(error)[:120]}); {_remedy(path.parent)}") from None
    if not isinstance(raw, dict):
        raise BundleError(f"{path}: expected keys and values, got {type(raw).__name__}; {_remedy(path.parent)}")
    return raw


def _check_file(expected: FileRecord, folder: Path) -> None:
    """Refuse a file that is not the one that was written."""
    path = folder / expected.file
    if ".." in Path(expected.file).parts or not path.is_file():
        raise BundleError(f"{folder} lacks {expected.file}; {_remedy(folder)}")
    if path.stat().st_size != expected.bytes or digest_file(path) != expected.sha256:
        raise BundleError(f"{path}: altered since it was exported (its size or SHA-256 differs); {_remedy(folder)}")


def _remedy(folder: Path) -> str:
    return f"delete {folder} and export again: cxrbench export"
