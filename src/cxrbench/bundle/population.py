"""Whom a model was trained on: ages, sexes, views, prevalences; and what to say of a film from outside."""

from typing import Annotated, Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from cxrbench.config import Feature, Settings
from cxrbench.data.images.projection import LATERAL

AGE_QUANTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)
ADULT_FROM = 18
RARE = 0.1
"""Share of the training films below which children are too few to have taught the model what theirs look like."""
UNKNOWN = "unknown"
FEATURE_WORDS: dict[Feature, str] = {"age": "age", "sex": "sex", "view": "view position"}

Count = Annotated[int, Field(ge=0, le=2**53)]
"""Of images or patients; what a float holds exactly."""


class Population(Settings):
    """The training part in numbers; of several training parts, their union."""

    images: Count
    patients: Count
    age_quantiles: dict[int, float] = Field(description="percent -> years; empty when no age is known")
    unknown_ages: Count
    children: Count = Field(description=f"images of patients below {ADULT_FROM}")
    sexes: dict[str, Count] = Field(description="images by sex; unknown ones under 'unknown'")
    views: dict[str, Count] = Field(description="images by view position; unknown ones under 'unknown'")
    positives: dict[str, Count] = Field(description="images with each finding")
    stated: dict[str, Count] = Field(description="images whose label of each finding is stated")

    @model_validator(mode="after")
    def _ages_are_all_or_none(self) -> Self:
        if self.age_quantiles and set(self.age_quantiles) != set(AGE_QUANTILES):
            raise ValueError(f"age_quantiles needs {AGE_QUANTILES} percent, or nothing; got {list(self.age_quantiles)}")
        return self

    @classmethod
    def of(cls, training: pl.DataFrame, findings: tuple[str, ...]) -> Self:
        """Count the table's rows of the training part."""
        ages = training["age_years"].drop_nulls().to_numpy()
        quantiles = np.percentile(ages, AGE_QUANTILES) if ages.size else ()
        return cls(
            images=training.height,
            patients=training["patient_id"].n_unique(),
            age_quantiles=dict(zip(AGE_QUANTILES, np.asarray(quantiles, dtype=float).tolist(), strict=False)),
            unknown_ages=training.height - ages.size,
            children=int((ages < ADULT_FROM).sum()),
            sexes=_counted(training["sex"]),
            views=_counted(training["view"]),
            positives={finding: int((training[finding] == 1).sum()) for finding in findings},
            stated={finding: training[finding].count() for finding in findings},
        )

    def prevalence(self, finding: str) -> float | None:
        """Share of the training images with the finding, of those where it is stated."""
        stated = self.stated[finding]
        return self.positives[finding] / stated if stated else None

    def unlearnt(self) -> dict[str, str]:
        """Return the findings that no network can have learnt from these images, and why."""
        reasons = {finding: self._one_kind(finding) for finding in self.positives}
        return {finding: reason for finding, reason in reasons.items() if reason}

    def _one_kind(self, finding: str) -> str:
        """Say which kind of image is lacking; nothing where there are images with the finding and without."""
        positives, stated = self.positives[finding], self.stated.get(finding, 0)
        if not positives:
            return "no training image shows it"
        return "" if stated > positives else "no training image is stated to be without it"

    def age_warnings(self, age_years: float | None) -> tuple[str, ...]:
        """What to say about a patient's age, without saying it."""
        if age_years is None or not self.age_quantiles:
            return ()
        if age_years < ADULT_FROM and self.children < RARE * self.images:
            return (
                f"a child: {self.children:,} of the {self.images:,} training films are of patients below {ADULT_FROM}",
            )
        youngest, oldest = self.age_quantiles[1], self.age_quantiles[99]
        if youngest <= age_years <= oldest:
            return ()
        who = "a child" if age_years < ADULT_FROM else "a patient"
        than = "younger" if age_years < youngest else "older"
        return (f"{who}, {than} than 99 % of those of the training films ({youngest:.0f} to {oldest:.0f} years)",)

    def view_warnings(self, view: str | None) -> tuple[str, ...]:
        """What to say about a film's view position."""
        if view is None or view in self.views:
            return ()
        seen = ", ".join(name for name in self.views if name != UNKNOWN) or "no known one"
        kind = "a lateral film, " if view in LATERAL else ""
        return (f"{kind}view position {view[:16]} is not among the training films ({seen})",)


def unknown_features(features: tuple[Feature, ...], known: dict[Feature, object]) -> tuple[str, ...]:
    """What to say about non-image features that the model uses and the film lacks."""
    lacking = [FEATURE_WORDS[feature] for feature in features if known[feature] is None]
    if not lacking:
        return ()
    return (f"unknown {' and '.join(lacking)}: the mean of the training part was taken instead",)


def _counted(column: pl.Series) -> dict[str, int]:
    """Images per value, commonest first."""
    counts = column.fill_null(UNKNOWN).value_counts(sort=True)
    return dict(sorted(counts.iter_rows(), key=lambda row: (-row[1], row[0])))
