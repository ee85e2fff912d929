"""Non-image features of a film: age, sex and view position as numbers, scaled on the training part.

Age is min-max scaled to 0..1 over the training part (a later age outside it goes beyond 0..1);
sex is F 0, M 1; view is PA 0, AP 1. What is unknown (null, or a view that is neither) takes the mean of
the training part's known values, in training and in every later use.
"""

from typing import Annotated, Self

import numpy as np
import polars as pl
from pydantic import Field

from cxrbench.config import Feature, Settings

CODES = {"sex": {"F": 0.0, "M": 1.0}, "view": {"PA": 0.0, "AP": 1.0}}
UNINFORMED = 0.5

Years = Annotated[float, Field(ge=0, le=150)]
Scaled = Annotated[float, Field(ge=-1, le=2)]
"""A mean of values in 0..1, with room for rounding."""


class FeatureScaling(Settings):
    """How the features of a run are made numbers; stored with the run."""

    features: tuple[Feature, ...]
    age_range: tuple[Years, Years] = Field(description="youngest and oldest of the training part, years")
    means: dict[Feature, Scaled] = Field(description="of the training part, scaled; what is unknown takes them")

    @classmethod
    def fit(cls, features: tuple[Feature, ...], training: pl.DataFrame) -> Self:
        """Learn ranges and means from the table's rows of the training part."""
        ages = training["age_years"].drop_nulls()
        age_range = (float(ages.min()), float(ages.max())) if len(ages) else (0.0, 1.0)  # type: ignore[arg-type]
        raw = cls(features=features, age_range=age_range, means={})
        columns = {feature: raw._column(feature, training) for feature in features}
        means = {
            feature: UNINFORMED if np.isnan(values).all() else float(np.nanmean(values))
            for feature, values in columns.items()
        }
        return raw.model_copy(update={"means": means})

    def encode(self, table: pl.DataFrame) -> np.ndarray:
        """Features (N, F) float32 of the table's rows; F = 0 for image-only approaches."""
        encoded = np.zeros((table.height, len(self.features)), np.float32)
        for position, feature in enumerate(self.features):
            values = self._column(feature, table)
            encoded[:, position] = np.where(np.isnan(values), self.means[feature], values)
        return encoded

    def _column(self, feature: Feature, table: pl.DataFrame) -> np.ndarray:
        """Values (N,) of one feature, NaN where unknown."""
        if feature == "age":
            low, high = self.age_range
            ages = table["age_years"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            return (ages - low) / (high - low if high > low else 1.0)
        codes = table[feature].replace_strict(CODES[feature], default=None, return_dtype=pl.Float64)
        return codes.fill_null(float("nan")).to_numpy()
