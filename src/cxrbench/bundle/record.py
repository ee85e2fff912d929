"""What ``bundle.json`` holds: everything that is needed to use a model beside its weights."""

from typing import Literal

from pydantic import Field

from cxrbench.bundle.pixel_statistics import PixelStatistics
from cxrbench.bundle.population import Population
from cxrbench.config import Approach, Settings
from cxrbench.data.features import FeatureScaling

FORMAT = "cxrbench bundle"
FORMAT_VERSION = 1
"""Raised with the field of ``BundleRecord`` when older code would misunderstand a newer bundle."""

BUNDLE_FILE, REFERENCE_FILE, CARD_FILE = "bundle.json", "reference.json", "README.md"
WEIGHTS_FILE, MEMBERS_FOLDER = "model.safetensors", "members"


class FileRecord(Settings):
    """A file of the bundle, as it was when the bundle was made."""

    file: str = Field(pattern=r"^[a-z0-9./]+$", description="relative to the bundle")
    bytes: int
    sha256: str


class RunRecord(Settings):
    """The run that a member comes from, and the digests of what it was made with."""

    approach: str
    split: str
    seed: int
    profile: str
    hash: str = Field(description="of the run's whole configuration")
    split_digest: str
    store_digest: str
    table_digest: str
    has_stand_in_weights: bool = Field(description="started from weights that stand in for ImageNet's")


class Calibration(Settings):
    """Platt's method: probability = expit(intercept + slope * logit)."""

    slope: float = 1.0
    intercept: float = 0.0
    reason: str | None = Field(None, description="why the outputs could not be calibrated; then they are as they are")

    @property
    def is_fitted(self) -> bool:
        """Whether slope and intercept come from validation images."""
        return self.reason is None


class Member(Settings):
    """One network of the bundle."""

    run: RunRecord
    weights: FileRecord
    approach: Approach
    feature_scaling: FeatureScaling
    calibrations: dict[str, Calibration] = Field(description="by finding, fitted on the run's validation part")


class Decision(Settings):
    """How one finding's probability is read."""

    threshold: float | None = Field(description="probability from which on the finding counts as present")
    rule: Literal["youden"] = "youden"
    quantiles: tuple[float, ...] = Field(description="0, 1 ... 100 % of the validation part's probabilities")
    reason: str | None = Field(None, description="why there is no threshold")


class TestResult(Settings):
    """How well the bundle told one finding on the test part of one split; intervals are for new patients."""

    __test__ = False  # to pytest, its name looks like a test's

    split: str
    finding: str
    images: int | None
    positives: int | None
    auc: float | None
    auc_lower: float | None
    auc_upper: float | None
    auc_reason: str | None
    sensitivity: float | None = None
    sensitivity_lower: float | None = None
    sensitivity_upper: float | None = None
    specificity: float | None = None
    specificity_lower: float | None = None
    specificity_upper: float | None = None


class ArchiveRecord(Settings):
    """What the model was trained on."""

    name: str
    form: str
    is_phantom: bool
    is_sample: bool
    images_listed: int
    images_missing: int
    images: int
    patients: int


class BundleRecord(Settings):
    """A bundle's description; ``digest`` in the file covers all of it."""

    format: Literal["cxrbench bundle"] = "cxrbench bundle"
    format_version: Literal[1] = 1
    made_with: dict[str, str] = Field(description="versions, and the digest of the code")
    geometry: str = Field(description="how a film becomes a square; other words mean other pixels")
    findings: tuple[str, ...]
    members: tuple[Member, ...] = Field(min_length=1)
    decisions: dict[str, Decision]
    population: Population
    pixel_statistics: PixelStatistics
    archive: ArchiveRecord
    test: tuple[TestResult, ...]
    banners: tuple[str, ...] = Field(description="what must be said wherever the model is shown")
    reference_sha256: str = Field(description=f"of {REFERENCE_FILE}")
