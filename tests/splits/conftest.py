"""Small tables for the tests of the splits."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest


def make_table(images_per_patient: list[int], *, seed: int = 0) -> pl.DataFrame:
    """One row per image of patients ``p0``, ``p1`` ...; Mass is random, Edema absent, Hernia not stated."""
    patients = [f"p{i}" for i, count in enumerate(images_per_patient) for _ in range(count)]
    images = len(patients)
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "image_id": [f"{i:04}.png" for i in range(images)],
            "patient_id": patients,
            "Mass": rng.integers(0, 2, images).astype(np.int8),
            "Edema": np.zeros(images, np.int8),
            "Hernia": pl.Series([None] * images, dtype=pl.Int8),
        },
        schema_overrides={"image_id": pl.String, "patient_id": pl.String},
    )


@pytest.fixture(scope="session")
def table() -> Callable[..., pl.DataFrame]:
    """``make_table``."""
    return make_table
