"""Who made a result: this software and the bundle, in the standard's words; and whether an object is such a result."""

from dataclasses import dataclass
from typing import Any

import pydicom
from highdicom.sr import AlgorithmIdentification

from cxrbench import __version__
from cxrbench.bundle import Bundle
from cxrbench.pacs.uids import derived_uid

MANUFACTURER = MODEL = "cxrbench"
RESEARCH_ONLY = "Research use only; not for diagnosis"
CHEST = "CHEST"
"""Body part examined."""


@dataclass(frozen=True)
class Author:
    """A bundle as the author of results.

    Attributes:
        digest: SHA-256 (hex) of the bundle.
        runs: What its members are.
        notices: What must be said wherever it is shown.
    """

    digest: str
    runs: tuple[str, ...]
    notices: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the bundle: the approaches of its members."""
        return " + ".join(dict.fromkeys(run.split(" / ")[0] for run in self.runs))

    @property
    def uid(self) -> str:
        """Of the bundle as an observer."""
        return derived_uid("bundle", self.digest)

    @property
    def attributes(self) -> dict[str, Any]:
        """Of the general equipment module."""
        return {
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MODEL,
            "software_versions": f"{__version__}, bundle {self.digest[:12]}",
            "device_serial_number": self.digest,
        }

    @property
    def algorithm(self) -> AlgorithmIdentification:
        """TID 4019."""
        return AlgorithmIdentification(
            name=f"{MODEL} {self.name}",
            version=f"{__version__}, bundle {self.digest[:12]}",
            manufacturer=MANUFACTURER,
            parameters=[f"bundle SHA-256 {self.digest}", *(f"member {run}" for run in self.runs)],
        )


def author_of(bundle: Bundle) -> Author:
    """The author that a bundle is."""
    runs = (member.run for member in bundle.members)
    names = tuple(f"{run.approach} / {run.split} / seed {run.seed}" for run in runs)
    return Author(digest=bundle.digest, runs=names, notices=(f"{RESEARCH_ONLY}.", *bundle.record.notices))


def is_result(dataset: pydicom.Dataset) -> bool:
    """Return whether an object was made here; such are never answered."""
    return bool(str(dataset.get("ManufacturerModelName") or "").strip() == MODEL)
