"""Where a bundle comes from: code, archive, and what must be said wherever it is shown."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import cxrbench
from cxrbench.bundle.record import ArchiveRecord, Member

PACKAGES = ("torch", "numpy", "opencv-python-headless", "pillow", "pydicom")
RESEARCH = "Research use only; not a medical device."


def made_with() -> dict[str, str]:
    """Versions, and the digest of the code."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {"cxrbench": cxrbench.__version__, "code_sha256": code_digest(), **versions}


@cache
def code_digest() -> str:
    """SHA-256 (hex) of all modules of this package, by name: a version number says less."""
    package = Path(cxrbench.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def archive_of(study_record: dict[str, Any]) -> ArchiveRecord:
    """The study's archive; of its path only the last folder's name, the rest is nobody's business."""
    archive = study_record["archive"]
    fields = {name: archive[name] for name in ArchiveRecord.model_fields if name not in {"name", "archive"}}
    own = "generated radiographs" if archive["is_phantom"] else Path(study_record["settings"]["data"]).name
    return ArchiveRecord(name=own or archive["form"], archive=archive.get("archive"), **fields)


def banners_of(archive: ArchiveRecord, members: Sequence[Member], study_record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what must be said wherever the model is shown.

    Args:
        archive: What the model was trained on.
        members: Its networks.
        study_record: ``study.json``, which says which test films the pre-trained weights saw.
    """
    said = [RESEARCH]
    if archive.is_phantom:
        said.append("Trained on generated radiographs: it knows no real film.")
    if archive.is_sample or archive.images_missing:
        said.append(
            f"Trained on a sample: {archive.images:,} of the archive's {archive.images_listed:,} images were at hand."
        )
    if any(member.run.has_stand_in_weights for member in members):
        said.append("Its pre-trained weights were a stand-in, trained on generated pictures.")
    said += _licence_banners(members)
    runs = {(member.run.approach, member.run.split) for member in members}
    overlaps = study_record.get("pretraining") or []
    if any(one["test_seen"] and (one["approach"], one["split"]) in runs for one in overlaps):
        said.append("Its pre-trained weights saw test films before: its test results are too good.")
    if any(member.run.profile != "paper" for member in members):
        said.append("Networks and images of a reduced profile: accuracy is not comparable with anything published.")
    return tuple(said)


def _licence_banners(members: Sequence[Member]) -> list[str]:
    """Return a warning for each licence of pre-trained weights that forbids commercial use."""
    weights = [member.run.pretraining for member in members if member.run.pretraining]
    licences = dict.fromkeys((one.name, one.licence) for one in weights if one.is_non_commercial)
    return [
        f"Not for commercial use: its pre-trained weights {name} have the licence {words}." for name, words in licences
    ]
