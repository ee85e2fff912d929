"""What a folder of parts holds: which films, by which bundle, computed how; what differs is refused, never mixed."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from cxrbench.config import Settings
from cxrbench.errors import DataError
from cxrbench.files import write_json

MANIFEST_FILE, LIST_FILE, PARTS_FOLDER = "manifest.json", "films.parquet", "predictions"


class Manifest(Settings):
    """The description of a folder of parts."""

    format: Literal["cxrbench parts"] = "cxrbench parts"
    format_version: Literal[1] = 1
    bundle: str = Field(description="SHA-256 that names the bundle")
    backend: str = Field(description="what computes the logits")
    has_mirror: bool = Field(description="test-time augmentation")
    batch_size: int = Field(ge=1, description="films that the networks see together; another one rounds otherwise")
    part_size: int = Field(ge=1, description="films of a part, less in the last")
    films: int = Field(ge=1)
    films_sha256: str = Field(description="SHA-256 of the rows of the list")
    findings: tuple[str, ...]
    notices: tuple[str, ...] = Field(description="what must be said wherever the predictions are shown")

    @property
    def parts(self) -> int:
        """Their number."""
        return -(-self.films // self.part_size)

    def films_of(self, number: int) -> int:
        """Films of a part, counted from zero."""
        return min(self.part_size, self.films - number * self.part_size)


def part_file(folder: Path, number: int) -> Path:
    """Where a part lies, counted from zero."""
    return folder / PARTS_FOLDER / f"part-{number:06}.parquet"


def missing_parts(folder: Path, manifest: Manifest) -> list[int]:
    """Parts that are not there yet, ascending."""
    return [number for number in range(manifest.parts) if not part_file(folder, number).exists()]


def read_manifest(folder: Path) -> Manifest:
    """Read the description.

    Raises:
        DataError: It is absent, damaged, or of another version.
    """
    path = folder / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        said = " ".join(str(error).split())[:160]
        raise DataError(f"{path}: absent, damaged or of another version ({said}); choose another folder") from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the description, which makes a folder one of parts."""
    write_json(folder / MANIFEST_FILE, manifest.model_dump(mode="json"))


def check_same(folder: Path, manifest: Manifest) -> None:
    """Refuse a folder that was begun with other films, another bundle or other options.

    Raises:
        DataError: Names what differs, and both values.
    """
    begun = read_manifest(folder)
    differing = [
        f"{name} {getattr(begun, name)!r:.40}, now {getattr(manifest, name)!r:.40}"
        for name in Manifest.model_fields
        if getattr(begun, name) != getattr(manifest, name)
    ]
    if differing:
        raise DataError(f"{folder} was begun otherwise: {'; '.join(differing)}; choose another folder for these")
