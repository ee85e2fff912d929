"""What ``cxrbench export`` wrote, and opening it: an export that was altered, or of another bundle, is refused."""

from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import Field

from cxrbench.bundle import Bundle, Member
from cxrbench.bundle.documents import check_digest, check_file, parse_document, read_document
from cxrbench.bundle.record import FileRecord
from cxrbench.config import Settings
from cxrbench.errors import BundleError, ConfigError

EXPORTS_FOLDER, EXPORT_FILE = "exports", "export.json"
PREPROCESSING_SUFFIX = "-with-preprocessing"
FILM, FEATURES, LOGITS = "film", "features", "logits"
TOLERANCE = 1e-4
"""Largest difference of a logit from torch's, or of its share where it is above 1: another order of the same sums."""

INT8: Final = "openvino-int8"
Form = Literal["onnx", "openvino", "openvino-int8"]
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
    loss_lower: float | None = Field(None, description="of the 95 % interval of torch's less the export's, paired")
    loss_upper: float | None = None
    near_ties: float = Field(
        0.0, description="share of pairs of a film with the finding and one without that so small differences exchange"
    )


class AucLoss(Settings):
    """How much lower the export's mean AUC is than torch's, paired, with its 95 % interval for new patients."""

    findings: tuple[str, ...] = Field(description="pathologies that have the test patients for an interval")
    loss: float | None
    lower: float | None
    upper: float | None


class ExportedMember(Settings):
    """One network of the export."""

    files: tuple[FileRecord, ...] = Field(min_length=1, description="the first is the one to open")
    inputs: tuple[TensorRecord, ...]
    outputs: tuple[TensorRecord, ...]
    films_checked: int
    largest_difference: float = Field(description="of a logit from torch's, relative where it is above 1")
    auc: tuple[AucParity, ...] = Field((), description="where a study's predictions were at hand")
    auc_loss: AucLoss | None = Field(None, description="likewise")


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


def has_export(bundle: Bundle, form: Form) -> bool:
    """Whether the bundle holds an export that ``exported_network`` opens."""
    return (export_folder(bundle, form) / EXPORT_FILE).is_file()


def exported_network(bundle: Bundle, member: Member, form: Form) -> Path:
    """A member's exported network, for a runtime to open.

    Raises:
        ConfigError: The bundle has no such export.
        BundleError: The export was altered, cut short, or made from another bundle.
    """
    folder = export_folder(bundle, form)
    if not has_export(bundle, form):
        needed = " --study STUDY" * (form == INT8)
        raise ConfigError(f"{bundle.folder} has no export for {form}; make it: cxrbench export --to {form}{needed}")
    record = load_export(folder, bundle)
    return folder / record.members[bundle.members.index(member)].files[0].file


def load_export(folder: Path, bundle: Bundle) -> ExportRecord:
    """Read an export's description, and see that its files are those that were written.

    Raises:
        BundleError: It was altered, cut short, or made from another bundle; names the file.
    """
    path, remedy = folder / EXPORT_FILE, f"delete {folder} and export again: cxrbench export"
    raw = check_digest(read_document(path, remedy=remedy), path, remedy=remedy)
    record = parse_document(raw, ExportRecord, path, remedy=remedy)
    if record.bundle != bundle.digest:
        raise BundleError(f"{folder} was made from bundle {record.bundle[:12]}, not {bundle.digest[:12]}; {remedy}")
    if len(record.members) != len(bundle.members) or record.findings != bundle.findings:
        raise BundleError(f"{path}: its networks or findings are not those of the bundle; {remedy}")
    for member in record.members:
        for file in member.files:
            check_file(file, folder, remedy=remedy)
    return record
