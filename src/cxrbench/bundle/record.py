"""What ``bundle.json`` holds: everything that is needed to use a model beside its weights."""

from collections.abc import Collection
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cxrbench.bundle.packages import PackageRecord
from cxrbench.bundle.pixel_statistics import PixelStatistics
from cxrbench.bundle.population import Count, Population
from cxrbench.config import Approach, Settings, Vocabulary, WeightsRecord
from cxrbench.data.features import FeatureScaling

FORMAT = "cxrbench bundle"
FORMAT_VERSION = 3
"""Raised with the field of ``BundleRecord`` when older code would misunderstand a newer bundle."""

BUNDLE_FILE, REFERENCE_FILE, CARD_FILE = "bundle.json", "reference.json", "README.md"
WEIGHTS_FILE, MEMBERS_FOLDER = "model.safetensors", "members"

PERCENTS = tuple(range(101))
ROUNDING = 1e-9
"""Quantiles that are means may be in disorder by so much."""

Share = Annotated[float, Field(ge=0, le=1)]
Coefficient = Annotated[float, Field(ge=-1e12, le=1e12)]
"""What no logit and no fit of logits is beyond."""


class FileRecord(Settings):
    """A file of the bundle, as it was when the bundle was made."""

    file: str = Field(pattern=r"^[a-z0-9]+([./][a-z0-9]+)*$", description="relative to the bundle, and within it")
    bytes: Count
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
    has_stand_in_weights: bool = Field(description="started from weights that stand in for published ones")
    pretraining: WeightsRecord | None = Field(None, description="what its backbone started from; null: random weights")


class Calibration(Settings):
    """Platt's method: probability = expit(intercept + slope * logit)."""

    slope: Coefficient = Field(1.0, gt=0)
    intercept: Coefficient = 0.0
    reason: str | None = Field(None, description="why the outputs could not be calibrated; then they are as they are")

    @property
    def is_fitted(self) -> bool:
        """Return whether slope and intercept come from validation images."""
        return self.reason is None


class Member(Settings):
    """One network of the bundle."""

    run: RunRecord
    weights: FileRecord
    approach: Approach
    feature_scaling: FeatureScaling
    packages: tuple[PackageRecord, ...] = Field((), description="other packages whose code builds the network")
    calibrations: dict[str, Calibration] = Field(description="by finding, fitted on the run's validation part")

    @model_validator(mode="after")
    def _features_are_scaled(self) -> Self:
        if self.feature_scaling.features != self.approach.network.features:
            raise ValueError(
                f"features {self.approach.network.features} cannot be scaled as {self.feature_scaling.features}"
            )
        if missing := set(self.approach.network.features) - set(self.feature_scaling.means):
            raise ValueError(f"feature_scaling.means lacks {', '.join(sorted(missing))}")
        return self


class Decision(Settings):
    """How one finding's probability is read."""

    threshold: Share | None = Field(description="probability from which on the finding counts as present")
    rule: Literal["youden"] = "youden"
    quantiles: tuple[Share, ...] = Field(
        min_length=len(PERCENTS),
        max_length=len(PERCENTS),
        description="0, 1 ... 100 % of the validation part's probabilities",
    )
    reason: str | None = Field(None, description="why there is no threshold")

    @model_validator(mode="after")
    def _quantiles_ascend(self) -> Self:
        if falling := [low for low, high in pairwise(self.quantiles) if high < low - ROUNDING]:
            raise ValueError(f"quantiles fall after {falling[0]}")
        return self


class TestResult(Settings):
    """How well the bundle told one finding on the test part of one split; intervals are for new patients."""

    __test__ = False  # to pytest, its name looks like a test's

    split: str
    finding: str
    images: Count | None
    positives: Count | None
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

    @model_validator(mode="after")
    def _positives_are_some_of_the_images(self) -> Self:
        if self.positives is not None and (self.images is None or self.positives > self.images):
            raise ValueError(f"{self.positives} positives of {self.images} images")
        return self


class ArchiveRecord(Settings):
    """What the model was trained on."""

    name: str
    form: str
    archive: str | None = Field(None, description="public archive that the form names; null: none, or made before")
    is_phantom: bool
    is_sample: bool
    images_listed: Count
    images_missing: Count
    images: Count
    patients: Count


class BundleRecord(Settings):
    """A bundle's description; ``digest`` in the file covers all of it."""

    format: Literal["cxrbench bundle"] = "cxrbench bundle"
    format_version: Literal[3] = 3
    made_with: dict[str, str] = Field(description="versions, and the digest of the code")
    geometry: str = Field(description="how a film becomes a square; other words mean other pixels")
    findings: tuple[str, ...] = Field(min_length=1, description="the networks' outputs, in order")
    vocabulary: Vocabulary = Field(description="codes and kinds of these findings, in the same order")
    withheld: dict[str, str] = Field(
        {}, description="finding -> why its output is not given: the networks saw no film with it, or none without"
    )
    left_out: dict[str, str] = Field(
        {}, description="finding of the study that is no output -> why, with the splits that lack it"
    )
    members: tuple[Member, ...] = Field(min_length=1)
    decisions: dict[str, Decision]
    population: Population
    pixel_statistics: PixelStatistics
    archive: ArchiveRecord
    test: tuple[TestResult, ...]
    banners: tuple[str, ...] = Field(description="what must be said wherever the model is shown")
    reference_sha256: str = Field(description=f"of {REFERENCE_FILE}")
    card_sha256: str = Field(description=f"of {CARD_FILE}")

    @model_validator(mode="after")
    def _each_finding_is_described_once(self) -> Self:
        if len(set(self.findings)) < len(self.findings):
            raise ValueError("findings names one twice")
        described: dict[str, Collection[str]] = {
            "decisions": self.decisions,
            "population.positives": self.population.positives,
            "population.stated": self.population.stated,
            **{f"calibrations of member {i}": member.calibrations for i, member in enumerate(self.members, start=1)},
        }
        for what, names in described.items():
            if apart := set(names) ^ set(self.findings):
                raise ValueError(f"{what} and findings differ: {', '.join(sorted(apart))} is in one of both only")
        if self.vocabulary.names != self.findings:
            raise ValueError("vocabulary and findings differ, or are not in the same order")
        return self

    @model_validator(mode="after")
    def _no_finding_is_answered_that_was_not_learnt(self) -> Self:
        if unlearnt := set(self.population.unlearnt()) - set(self.withheld):
            raise ValueError(f"{', '.join(sorted(unlearnt))}: the networks saw one kind of film; withheld lacks it")
        if strange := set(self.withheld) - set(self.findings):
            raise ValueError(f"withheld names {', '.join(sorted(strange))}, which is no output")
        if both := set(self.left_out) & set(self.findings):
            raise ValueError(f"left_out names {', '.join(sorted(both))}, which is an output")
        if not self.answered:
            raise ValueError("every finding is withheld; nothing is left to answer")
        return self

    @property
    def answered(self) -> tuple[str, ...]:
        """Findings that are answered, in the order of the outputs: all but the withheld ones."""
        return tuple(name for name in self.findings if name not in self.withheld)

    @property
    def unanswered(self) -> dict[str, str]:
        """Findings that are not answered, withheld ones first, and why."""
        return {**self.withheld, **self.left_out}

    @property
    def notices(self) -> tuple[str, ...]:
        """What must be said wherever the model is shown, the findings that it does not answer included."""
        if not self.unanswered:
            return self.banners
        listed = " ".join(f"{name}: {reason}." for name, reason in self.unanswered.items())
        return (*self.banners, f"Not answered. {listed}")
