"""What ``cxrbench export`` wrote, and opening it: an export that was altered, or of another bundle, is refused."""

from dataclasses import replace
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
    withheld: dict[str, str] | None = Field(
        None,
        description="outputs that must not be answered -> why; null in exports made before this was recorded: then "
        "the bundle alone says it",
    )
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
    """Return whether there is an export that ``exported_network`` opens."""
    return (_folder_of(bundle, form) / EXPORT_FILE).is_file()


def with_export(bundle: Bundle, folder: Path) -> Bundle:
    """Return the bundle with an export of it that lies elsewhere, to compute with.

    Raises:
        BundleError: It is no export, was altered, or was made from another bundle.
        ConfigError: It takes films' squares; what prepares films here gives arrays.
    """
    if load_export(folder, bundle).has_preprocessing:
        raise ConfigError(f"{folder}: was exported with preprocessing; export the bundle without it to compute here")
    return replace(bundle, export=folder)


def export_notes(bundle: Bundle) -> list[str]:
    """Name the exports that do not say which of their outputs must not be answered, though the bundle has such."""
    withheld = ", ".join(bundle.record.withheld)
    folders = [_folder_of(bundle, form) for form in FORMS if has_export(bundle, form)]
    return [
        f"{folder} does not name the findings that it must not answer ({withheld}), as it was made before exports did; "
        "here the bundle keeps them back, but export it anew before you hand it on"
        for folder in folders
        if withheld and _read(folder, bundle).withheld is None
    ]


def form_given(bundle: Bundle) -> Form | None:
    """Return the form of the export that was given with the bundle; None where none was."""
    return None if bundle.export is None else _read(bundle.export, bundle).form


def _folder_of(bundle: Bundle, form: Form) -> Path:
    """Where an export of that form lies: the one that was given, or the bundle's own."""
    return bundle.export if bundle.export and form_given(bundle) == form else export_folder(bundle, form)


def exported_network(bundle: Bundle, member: Member, form: Form) -> Path:
    """A member's exported network, for a runtime to open.

    Raises:
        ConfigError: The bundle has no such export.
        BundleError: The export was altered, cut short, or made from another bundle or in another form.
    """
    folder = _folder_of(bundle, form)
    if not has_export(bundle, form):
        needed = " --study STUDY" * (form == INT8)
        raise ConfigError(f"{bundle.folder} has no export for {form}; make it: cxrbench export --to {form}{needed}")
    record = load_export(folder, bundle)
    if record.form != form or record.has_preprocessing:
        found = record.form + " with preprocessing" * record.has_preprocessing
        raise BundleError(f"{folder} holds an export to {found}, not to {form}; was it renamed? {_remedy(folder)}")
    return folder / record.members[bundle.members.index(member)].files[0].file


def largest_difference(bundle: Bundle, form: Form) -> float:
    """Return how far an export's logits were from torch's when it was written."""
    record = load_export(_folder_of(bundle, form), bundle)
    return max(member.largest_difference for member in record.members)


def load_export(folder: Path, bundle: Bundle) -> ExportRecord:
    """Read an export's description, and see that its files are those that were written.

    Raises:
        BundleError: It was altered, cut short, or made from another bundle; names the file.
    """
    record = _read(folder, bundle)
    for member in record.members:
        for file in member.files:
            check_file(file, folder, remedy=_remedy(folder))
    return record


def _remedy(folder: Path) -> str:
    return f"delete {folder} and export again: cxrbench export"


def bundle_of(folder: Path) -> str:
    """Return the digest of the bundle that an export was made from.

    Raises:
        BundleError: It is no export, or its description was altered.
    """
    return _described(folder).bundle


def _described(folder: Path) -> ExportRecord:
    path, remedy = folder / EXPORT_FILE, _remedy(folder)
    if not path.is_file():
        raise BundleError(f"{folder} is not an export: it has no {EXPORT_FILE}; cxrbench export makes one")
    raw = check_digest(read_document(path, remedy=remedy), path, remedy=remedy)
    return parse_document(raw, ExportRecord, path, remedy=remedy)


def _read(folder: Path, bundle: Bundle) -> ExportRecord:
    """Read an export's description, and see that it is of this bundle."""
    path, remedy, record = folder / EXPORT_FILE, _remedy(folder), _described(folder)
    if record.bundle != bundle.digest:
        raise BundleError(f"{folder} was made from bundle {record.bundle[:12]}, not {bundle.digest[:12]}; {remedy}")
    if record.withheld is not None and record.withheld != bundle.record.withheld:
        raise BundleError(f"{path}: the findings it withholds are not those of the bundle; {remedy}")
    if len(record.members) != len(bundle.members) or record.findings != bundle.findings:
        raise BundleError(f"{path}: its networks or findings are not those of the bundle; {remedy}")
    return record
