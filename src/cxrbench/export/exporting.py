"""A bundle -> a folder of exported networks, with what must be known to use them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cxrbench.bundle import Bundle, Member
from cxrbench.bundle.record import FileRecord
from cxrbench.bundle.reference import check_reference
from cxrbench.errors import BundleError
from cxrbench.export.auc_parity import check_auc
from cxrbench.export.graph import exported_module, input_records, output_records
from cxrbench.export.parity import Network, check_parity
from cxrbench.export.writing import OPSET, write_onnx, write_openvino
from cxrbench.files import atomic_folder, digest_file, digest_json, write_json
from cxrbench.predict.backends import Backend, open_backends
from cxrbench.predict.exported import (
    EXPORT_FILE,
    AucParity,
    ExportedMember,
    ExportRecord,
    Form,
    TensorRecord,
    export_folder,
    load_export,
)
from cxrbench.predict.runtimes import OnnxNetwork, OpenVinoNetwork

PACKAGES: dict[Form, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
}
NETWORKS: dict[Form, Callable[[Path], Network]] = {"onnx": OnnxNetwork, "openvino": OpenVinoNetwork}


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """How a bundle is exported.

    Attributes:
        form: ``onnx`` or ``openvino``.
        has_preprocessing: Take films' squares and patients' facts instead of prepared arrays.
        study: The study that the bundle was made from, to compare AUCs on; None: logits alone are compared.
    """

    form: Form
    has_preprocessing: bool = False
    study: Path | None = None


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
        ConfigError: A package is not installed, or the preprocessing cannot be exported.
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


def _export_member(bundle: Bundle, member: Member, network: Backend, how: Exporting, scratch: Path) -> ExportedMember:
    """Write one member's network, and compare it with torch's."""
    inputs = input_records(member, has_preprocessing=how.has_preprocessing)
    outputs = output_records(bundle.findings)
    files = _write(bundle, member, how, scratch, about=_about(bundle, inputs, outputs))
    exported = NETWORKS[how.form](files[0])
    films, difference = check_parity(
        member, network, exported, has_preprocessing=how.has_preprocessing, findings=bundle.findings
    )
    auc: tuple[AucParity, ...] = ()
    if how.study is not None:
        auc = check_auc(how.study, member, exported, has_preprocessing=how.has_preprocessing, findings=bundle.findings)
    return ExportedMember(
        files=tuple(_file_record(file, scratch) for file in files),
        inputs=inputs,
        outputs=outputs,
        films_checked=films,
        largest_difference=difference,
        auc=auc,
    )


def _write(bundle: Bundle, member: Member, how: Exporting, scratch: Path, *, about: dict[str, Any]) -> tuple[Path, ...]:
    """A member's files, named as its weights are; the one to open comes first."""
    path = (scratch / member.weights.file).with_suffix(".onnx")
    path.parent.mkdir(exist_ok=True)
    module = exported_module(bundle, member, has_preprocessing=how.has_preprocessing)
    write_onnx(module, input_records(member, has_preprocessing=how.has_preprocessing), path, about=about)
    if how.form == "onnx":
        return (path,)
    written = write_openvino(path, path.with_suffix(".xml"))
    path.unlink()
    return written


def _about(bundle: Bundle, inputs: Sequence[TensorRecord], outputs: Sequence[TensorRecord]) -> dict[str, Any]:
    """What whoever has an ONNX file alone must know."""
    return {
        "bundle": bundle.digest,
        "findings": bundle.findings,
        "inputs": [each.model_dump(mode="json") for each in inputs],
        "outputs": [each.model_dump(mode="json") for each in outputs],
        "notices": bundle.record.banners,
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
        notices=bundle.record.banners,
        findings=bundle.findings,
        members=members,
    )
