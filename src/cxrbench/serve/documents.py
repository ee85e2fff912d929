"""The API's answers."""

from typing import Literal

from pydantic import BaseModel, Field

RESEARCH_USE_ONLY = "Research use only. Not for diagnosis."

Source = Literal["given", "header", "unknown"]


class BundleDocument(BaseModel):
    """A bundle that is served."""

    name: str = Field(examples=["large-meta"], description="what to send as field `bundle`")
    digest: str = Field(examples=["5f2c9c1b0d..."], description="SHA-256 that names the bundle and its weights")
    approaches: list[str] = Field(examples=[["large-meta"]])
    members: int = Field(examples=[1], description="networks whose probabilities are averaged")
    findings: list[str] = Field(examples=[["Atelectasis", "Cardiomegaly"]])
    not_answered: dict[str, str] = Field(
        examples=[{"Hernia": "no training image shows it"}],
        description="findings of its study that it does not answer, and why",
    )
    features: list[str] = Field(examples=[["age", "sex", "view"]], description="non-image features that it uses")
    methods: list[str] = Field(
        examples=[["cam", "layer-cam"]], description="of heat maps that its networks answer; the first is the usual one"
    )
    no_heat_maps: str | None = Field(
        None,
        examples=["its network is built by module my_networks, which is not installed here; install it"],
        description="why it has no heat maps here, and `methods` is empty; null where it has",
    )
    notices: list[str] = Field(
        examples=[["Research use only; not a medical device."]], description="what must be said wherever it is shown"
    )


class FactDocument(BaseModel):
    """Age, sex or view position as it was used."""

    value: float | str | None = Field(examples=[62.0])
    source: Source = Field(
        description="`given` in the form (null: given as unknown), from the DICOM `header`, or `unknown`"
    )


class FactsDocument(BaseModel):
    """What was known of patient and exposure."""

    age: FactDocument
    sex: FactDocument
    view: FactDocument


class FindingDocument(BaseModel):
    """One finding of one film."""

    finding: str = Field(examples=["Effusion"])
    means_none: bool = Field(examples=[False], description="whether it says that no pathology is present")
    probability: float = Field(
        examples=[0.31], ge=0, le=1, description="where `is_calibrated` is false: the network's own output"
    )
    is_calibrated: bool = Field(description="whether the number was fitted to outcomes; only then it is a probability")
    meaning: str = Field(
        examples=["Calibrated: of 100 films of the validation part that get this number, about 31 show it."],
        description="the probability in words",
    )
    threshold: float | None = Field(
        examples=[0.22], description="from which probability on the finding counts as present; null: there is none"
    )
    decision: Literal["present", "absent"] | None = Field(description="null where there is no threshold")
    percentile: float = Field(examples=[88.5], ge=0, le=100, description="place among the validation part's films")
    moved_by: dict[str, float] = Field(
        examples=[{"age": 0.04, "sex": -0.01, "view": 0.0}],
        description="how far each non-image feature moved the probability, against the training population",
    )


class SeenDocument(BaseModel):
    """A rectangle of the film, in its pixels, from its upper left corner."""

    x: float = Field(examples=[159.0])
    y: float = Field(examples=[0.0])
    width: float = Field(examples=[2226.0])
    height: float = Field(examples=[2544.0])


class PredictionDocument(BaseModel):
    """A bundle's answer about one film."""

    research_use_only: str = Field(RESEARCH_USE_ONLY, examples=[RESEARCH_USE_ONLY])
    bundle: BundleDocument
    height: int = Field(examples=[2544], description="of the film, pixels")
    width: int = Field(examples=[3056], description="of the film, pixels")
    seen: SeenDocument = Field(description="what the networks saw of the film; nothing outside it counts")
    facts: FactsDocument
    warnings: list[str] = Field(
        examples=[["unknown age: the mean of the training part was taken instead"]],
        description="why the answer may be worth less than the bundle's card says",
    )
    findings: list[FindingDocument] = Field(description="in the bundle's order")


class BundlesDocument(BaseModel):
    """What is served."""

    research_use_only: str = Field(RESEARCH_USE_ONLY, examples=[RESEARCH_USE_ONLY])
    bundles: list[BundleDocument]
    max_upload_mb: int = Field(examples=[64])


class HealthDocument(BaseModel):
    """State of a server that works."""

    status: Literal["ok"] = "ok"
