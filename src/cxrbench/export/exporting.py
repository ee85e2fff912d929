"""A bundle -> a folder of exported networks, with what must be known to use them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cxrbench.bundle import Bundle, Member
from cxrbench.bundle.differences import largest_difference
from cxrbench.bundle.record import FileRecord
from cxrbench.bundle.reference import check_reference
from cxrbench.errors import BundleError, ConfigError
from cxrbench.export.auc_parity import check_loss, check_same, measure_aucs
from cxrbench.export.graph import exported_module, input_records, output_records
from cxrbench.export.own_films import OwnFilms, read_own_films
from cxrbench.export.parity import Network, checked_difference, compared_logits
from cxrbench.export.quantising import write_int8
from cxrbench.export.writing import OPSET, write_onnx, write_openvino
from cxrbench.files import atomic_folder, digest_file, digest_json, write_json
from cxrbench.predict.backends import Backend, open_backends
from cxrbench.predict.exported import (
    EXPORT_FILE,
    INT8,
    ExportedMember,
    ExportRecord,
    Form,
    TensorRecord,
    export_folder,
    load_export,
)
from cxrbench.predict.opening import RUNTIMES
from cxrbench.predict.runtimes import OnnxNetwork, OpenVinoNetwork

PACKAGES: dict[Form, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    INT8: ("onnx", "onnxscript", "openvino", "nncf"),
}
NETWORKS: dict[Form, Callable[[Path], Network]] = {
    "onnx": OnnxNetwork,
    "openvino": OpenVinoNetwork,
    INT8: OpenVinoNetwork,
}


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """How a bundle is exported.

    Attributes:
        form: What is written.
        has_preprocessing: Take films' squares and patients' facts instead of prepared arrays.
        study: The study that the bundle was made from, to compare AUCs on; None: logits alone are compared. Int8 is
            calibrated on its validation films, and needs it.
        max_auc_loss: Of int8: the most that the mean AUC may be lower, at the upper end of its interval.

    Raises:
        ConfigError: Int8 without a study.
    """

    form: Form
    has_preprocessing: bool = False
    study: Path | None = None
    max_auc_loss: float = 0.01

    def __post_init__(self) -> None:
        if self.form == INT8 and self.study is None:
            raise ConfigError(
                f"{INT8} needs --study, the study that the bundle was made from: its validation films "
                "calibrate it, its test films say what it costs"
            )


def export_bundle(bundle: Bundle, how: Exporting, out: Path | None = None) -> tuple[Path, ExportRecord]:
    """Export all members; nothing is written unless all of them give torch's logits.

    Args:
        bundle: From ``load_bundle``.
        how: Form and options.
        out: Folder of the export; must not exist yet. None: within the bundle, where ``Predictor`` finds it.

    Returns:
        The folder, and its description.

    Raises:
        BundleError: The folder exists, or an exported network answers otherwise than torch.
        ConfigError: A package is not installed.
    """
    folder = out or export_folder(bundle, how.form, has_preprocessing=how.has_preprocessing)
    if folder.exists():
        raise BundleError(f"{folder} exists already; choose another --out, or delete it")
    networks = open_backends("torch", bundle)
    check_reference(bundle.reference, bundle.members, networks, bundle.findings)
    with atomic_folder(folder) as scratch:
        pairs = zip(bundle.members, networks, strict=True)
        members = tuple(_export_member(bundle, member, network, how, scratch) for member, network in pairs)
        raw = _record(bundle, how, members).model_dump(mode="json")
        write_json(scratch / EXPORT_FILE, raw | {"digest": digest_json(raw)})
    return folder, load_export(folder, bundle)


def export_fastest(bundle: Bundle) -> tuple[Path, ExportRecord] | None:
    """Export to what ``--backend auto`` takes first on a CPU; None where its packages are not installed.

    Raises:
        BundleError: As ``export_bundle``.
    """
    form = next(iter(RUNTIMES))
    return export_bundle(bundle, Exporting(form=form)) if all(map(find_spec, PACKAGES[form])) else None


def _export_member(bundle: Bundle, member: Member, network: Backend, how: Exporting, scratch: Path) -> ExportedMember:
    """Write one member's network, and compare it with torch's."""
    own = None if how.study is None else read_own_films(how.study, member)
    inputs = input_records(member, has_preprocessing=how.has_preprocessing)
    outputs = output_records(bundle)
    files = _write(bundle, member, own, how, scratch, about=_about(bundle, inputs, outputs))
    exported = NETWORKS[how.form](files[0])
    found, expected = compared_logits(member, network, exported, has_preprocessing=how.has_preprocessing)
    if how.form == INT8:  # what it costs is measured below, in the unit that counts
        difference = largest_difference(found, expected).largest
    else:
        difference = checked_difference(found, expected, bundle.findings)
    return ExportedMember(
        files=tuple(_file_record(file, scratch) for file in files),
        inputs=inputs,
        outputs=outputs,
        films_checked=len(expected),
        largest_difference=difference,
        **({} if own is None else _checked_aucs(own, exported, how, bundle.findings)),
    )


def _checked_aucs(own: OwnFilms, exported: Network, how: Exporting, findings: tuple[str, ...]) -> dict[str, Any]:
    """What the export's AUCs are on the run's test films, as fields of ``ExportedMember``."""
    aucs, loss = measure_aucs(own, exported, has_preprocessing=how.has_preprocessing, findings=findings)
    if how.form == INT8:
        check_loss(loss, own.told.test.split, bound=how.max_auc_loss)
    else:
        check_same(aucs, own.told.test.split)
    return {"auc": aucs, "auc_loss": loss}


def _write(
    bundle: Bundle, member: Member, own: OwnFilms | None, how: Exporting, scratch: Path, *, about: dict[str, Any]
) -> tuple[Path, ...]:
    """A member's files, named as its weights are; the one to open comes first."""
    path = (scratch / member.weights.file).with_suffix(".onnx")
    path.parent.mkdir(exist_ok=True)
    module = exported_module(bundle, member, has_preprocessing=how.has_preprocessing)
    write_onnx(module, input_records(member, has_preprocessing=how.has_preprocessing), path, about=about)
    if how.form == "onnx":
        return (path,)
    described = path.with_suffix(".xml")
    if own is None or how.form != INT8:
        written = write_openvino(path, described)
    else:
        written = write_int8(path, described, own, has_preprocessing=how.has_preprocessing)
    path.unlink()
    return written


def _about(bundle: Bundle, inputs: Sequence[TensorRecord], outputs: Sequence[TensorRecord]) -> dict[str, Any]:
    """What whoever has an ONNX file alone must know."""
    return {
        "bundle": bundle.digest,
        "findings": bundle.findings,
        "withheld": bundle.record.withheld,
        "inputs": [each.model_dump(mode="json") for each in inputs],
        "outputs": [each.model_dump(mode="json") for each in outputs],
        "notices": bundle.record.notices,
    }


def _file_record(path: Path, folder: Path) -> FileRecord:
    name = path.relative_to(folder).as_posix()
    return FileRecord(file=name, bytes=path.stat().st_size, sha256=digest_file(path))


def _record(bundle: Bundle, how: Exporting, members: tuple[ExportedMember, ...]) -> ExportRecord:
    return ExportRecord(
        form=how.form,
        has_preprocessing=how.has_preprocessing,
        opset=OPSET,
        bundle=bundle.digest,
        made_with={name: metadata.version(name) for name in ("cxrbench", "torch", *PACKAGES[how.form])},
        notices=bundle.record.notices,
        findings=bundle.findings,
        withheld=bundle.record.withheld,
        members=members,
    )
