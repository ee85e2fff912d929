"""What a finished folder holds and what it was made from, so that mix-ups and damage are noticed before it is read.

A manifest finds accidents: a file that was cut short, changed or swapped, a folder under another one's name. Whoever
wants to forge a result can write a manifest too.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cxrbench.errors import IntegrityError
from cxrbench.files import digest_file, digest_json, write_json

MANIFEST_FILE = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True)
class Recorded:
    """Size and content of one file."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Recorded":
        """Record a file as it is."""
        return cls(path.stat().st_size, digest_file(path))


@dataclass(frozen=True)
class Manifest:
    """The record of a finished folder.

    Attributes:
        folder: Where the files lie; it may have been moved with all that is in it.
        kind: Kind of folder, such as ``run`` or ``store``.
        name: Name of what is in it, such as ``ft / resample-1 / seed 0``.
        made_from: Name of each input -> its SHA-256.
        files: Path of each file, relative to the folder -> its size and content.
    """

    folder: Path
    kind: str
    name: str
    made_from: Mapping[str, str]
    files: Mapping[str, Recorded]

    def file(self, name: str) -> Path:
        """Return the path of a file that was found to be as it was when the folder was finished.

        Raises:
            IntegrityError: The file is absent, changed, or was not there then.
        """
        path = self.folder / name
        if name not in self.files:
            raise IntegrityError(
                f"{path} is not listed in {MANIFEST_FILE}; it was added after {self.name} was finished"
            )
        if not path.is_file():
            raise IntegrityError(f"{path} is missing, though {MANIFEST_FILE} lists it; {self.remedy}")
        recorded, size = self.files[name], path.stat().st_size
        if size != recorded.bytes:
            raise IntegrityError(f"{path} has {size:,} bytes instead of {recorded.bytes:,}; {self.remedy}")
        if digest_file(path) != recorded.sha256:
            raise IntegrityError(f"{path} was changed after it was written; {self.remedy}")
        return path

    def check(self) -> None:
        """Read every file.

        Raises:
            IntegrityError: A file is absent, changed, or was added.
        """
        for name in sorted({*self.files, *_files_in(self.folder)}):
            self.file(name)

    @property
    def remedy(self) -> str:
        """What to do about a fault."""
        return f"restore {self.folder} from a copy, or delete it and make it again"


def seal(folder: Path, *, kind: str, name: str, made_from: Mapping[str, str] | None = None) -> Manifest:
    """Write the manifest of a folder whose files are all there."""
    files = {path: Recorded.of(folder / path) for path in sorted(_files_in(folder))}
    manifest = Manifest(folder, kind, name, dict(made_from or {}), files)
    content = _content(manifest)
    write_json(folder / MANIFEST_FILE, {**content, "digest": digest_json(content)})
    return manifest


def read_manifest(folder: Path, *, kind: str, name: str) -> Manifest | None:
    """Return the manifest of a finished folder; None where there is none.

    Args:
        folder: Folder to read.
        kind: Kind of folder that is expected.
        name: Name of what is expected in it.

    Raises:
        IntegrityError: The manifest is damaged, of a later version, or of another folder.
    """
    path = folder / MANIFEST_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None
    manifest = _parsed(raw, path)
    if (manifest.kind, manifest.name) != (kind, name):
        raise IntegrityError(
            f"{folder} holds {manifest.kind} {manifest.name}, not {kind} {name}; was it renamed or swapped? "
            "Put it back under its own name"
        )
    return manifest


def _parsed(raw: Any, path: Path) -> Manifest:
    """Return the manifest in a JSON document, if it is as it was written."""
    try:
        schema, digest = raw["schema"], raw["digest"]
        content = {key: value for key, value in raw.items() if key != "digest"}
        if isinstance(schema, int) and schema > SCHEMA:
            raise IntegrityError(f"{path} has schema {schema}, of a later version of cxrbench; update this one")
        if digest_json(content) != digest:
            raise ValueError("its digest differs")
        files = {name: Recorded(**one) for name, one in raw["files"].items()}
        return Manifest(path.parent, raw["kind"], raw["name"], raw["made_from"], files)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> IntegrityError:
    said = " ".join(str(error).split()) or type(error).__name__
    return IntegrityError(
        f"{path} is damaged ({said}); restore {path.parent} from a copy, or delete it and make it again"
    )


def _content(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as a JSON value, without its digest."""
    return {
        "schema": SCHEMA,
        "kind": manifest.kind,
        "name": manifest.name,
        "made_from": dict(manifest.made_from),
        "files": {name: asdict(one) for name, one in manifest.files.items()},
    }


def _files_in(folder: Path) -> Iterator[str]:
    """Yield the paths of a folder's files, relative to it; hidden ones and the manifest itself are none of them."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and str(name) != MANIFEST_FILE and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix()
