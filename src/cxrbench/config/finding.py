"""One finding: its name, spellings and group, and its code in a public scheme or in our own."""

from hashlib import sha256
from typing import Literal

from pydantic import Field, field_validator

from cxrbench.config.base import Settings

PRIVATE_SCHEME = "99CXRBENCH"
"""Coding scheme of our own codes, for findings that no public code means."""

VALUE_LENGTH = 16
"""Letters of a code value, and of a scheme's designator, as DICOM allows."""

PRINTED = r"^[^\\\x00-\x1f]+$"
"""DICOM's short texts hold no backslash and no control character."""

Group = Literal["head", "medium", "tail"]

RESERVED = frozenset(
    {
        "image_id",
        "path",
        "patient_id",
        "age_years",
        "sex",
        "view",
        "follow_up",
        "mean",
        "all",
        "all images",
        "error",
        "warnings",
    }
)
"""Names that tables give to something else than a finding."""


class Code(Settings):
    """What a finding is called in a coding scheme."""

    value: str = Field(pattern=PRINTED, max_length=VALUE_LENGTH)
    scheme: str = Field(
        pattern=PRINTED, max_length=VALUE_LENGTH, description="SCT (SNOMED CT), DCM, RADLEX, or our own"
    )
    meaning: str = Field(pattern=PRINTED, max_length=64, description="the scheme's own words")
    source: str = Field("", description="who lists the code; for one of our own, why there is none")

    @property
    def is_private(self) -> bool:
        """Whether the code is our own, as no public one is known."""
        return self.scheme == PRIVATE_SCHEME


class Finding(Settings):
    """One label of a vocabulary."""

    name: str = Field(min_length=1, max_length=64)
    aliases: tuple[str, ...] = Field((), description="other spellings of the same finding")
    code: Code | None = Field(None, description="its code in a public scheme; null: a private code from its name")
    is_pathology: bool = Field(True, description="counts in the mean over the pathologies")
    means_none: bool = Field(False, description="present means that no pathology is")
    group: Group | None = Field(None, description="how common it is: head, medium or tail")

    @field_validator("name")
    @classmethod
    def _is_a_column(cls, value: str) -> str:
        if value != value.strip() or not value.isprintable() or value.startswith("#"):
            raise ValueError("blanks around it, unprintable letters or a leading # do not fit a column's name")
        if value in RESERVED:
            raise ValueError("tables use this name for something else than a finding; choose another")
        if not any(letter.isalnum() for letter in value):
            raise ValueError("a finding's name has a letter or a digit")
        return value

    @property
    def coded(self) -> Code:
        """The finding's code; a private one made from its name where none is given."""
        if self.code is not None:
            return self.code
        return Code(
            value=_private_value(self.name),
            scheme=PRIVATE_SCHEME,
            meaning=self.name.replace("_", " ").replace("\\", "/"),
            source="the vocabulary gives no code",
        )


def _private_value(name: str) -> str:
    """Return a code value made from a name; a digest keeps those apart that look alike in 16 letters."""
    words = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.upper())
    is_whole = len(words) <= VALUE_LENGTH and all(letter.isascii() for letter in name)
    return words if is_whole else f"{words[: VALUE_LENGTH - 5]}_{sha256(name.encode()).hexdigest()[:4].upper()}"
