"""Studies that many tests read, evaluated once, and a label file with two models' predictions."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cxrbench.config import load_vocabulary
from cxrbench.evaluate import evaluate_study
from fake_study import fake_scores, fake_table, write_fake_study

NIH = load_vocabulary().names


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Path:
    """Three re-samples and an official list, two approaches with two seeds each; not to be changed."""
    folder = write_fake_study(
        tmp_path_factory.mktemp("evaluated") / "study", patients=120, resamples=3, official=True, seeds=(0, 1)
    )
    evaluate_study(folder, replicates=50)
    return folder


@pytest.fixture(scope="session")
def larger(tmp_path_factory) -> Path:
    """More patients, one seed each; not to be changed."""
    folder = write_fake_study(tmp_path_factory.mktemp("larger") / "study", patients=200, official=True)
    evaluate_study(folder, replicates=200)
    return folder


@pytest.fixture
def small(tmp_path) -> Path:
    return write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft"])


@pytest.fixture(scope="session")
def table() -> pl.DataFrame:
    return fake_table(np.random.default_rng(0), patients=150)


@pytest.fixture
def labels(table, tmp_path) -> Path:
    """A label file in the layout of the release."""
    path = tmp_path / "Data_Entry_2017_v2020.csv"
    cells = ["|".join(name for name in NIH if row[name] == 1) for row in table.select(NIH).iter_rows(named=True)]
    pl.DataFrame(
        {
            "Image Index": table["image_id"],
            "Finding Labels": cells,
            "Follow-up #": table["follow_up"],
            "Patient ID": table["patient_id"],
            "Patient Age": table["age_years"].cast(pl.Int32),
            "Patient Sex": table["sex"],
            "View Position": table["view"],
        }
    ).write_csv(path)
    return path


@pytest.fixture
def good(table, tmp_path) -> Path:
    fake_scores(table, 1.5, seed=1).write_csv(tmp_path / "good.csv")
    return tmp_path / "good.csv"


@pytest.fixture
def poor(table, tmp_path) -> Path:
    fake_scores(table, 0.3, seed=2).write_parquet(tmp_path / "poor.parquet")
    return tmp_path / "poor.parquet"
