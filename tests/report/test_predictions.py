"""The page about files of predictions."""

import re

import numpy as np
import polars as pl
import pytest

from cxrbench.config import load_vocabulary
from cxrbench.evaluate.predictions import compare_files, evaluate_files
from cxrbench.report.predictions import write_predictions_report
from fake_study import fake_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Labels and three models' predictions."""
    folder = tmp_path_factory.mktemp("predictions")
    table = fake_table(np.random.default_rng(0), patients=120)
    table.write_parquet(folder / "table.parquet")
    present, rng = table.select(load_vocabulary().names).to_numpy(), np.random.default_rng(1)
    for name, strength in (("plain", 0.4), ("better", 1.2), ("best", 2.5)):
        chance = 1 / (1 + np.exp(2 - strength * present - rng.normal(size=present.shape)))
        columns = {finding: chance[:, k] for k, finding in enumerate(load_vocabulary().names)}
        pl.DataFrame({"image_id": table["image_id"], **columns}).write_csv(folder / f"{name}.csv")
    return folder


def test_three_models_are_shown_with_figures_that_need_no_network(folder, tmp_path):
    files = [folder / f"{name}.csv" for name in ("plain", "better", "best")]
    result = compare_files(files, folder / "table.parquet", tmp_path / "out", replicates=50)
    write_predictions_report(result)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<h1>Which of three models is best on these images?</h1>" in page
    assert "<strong>best</strong> has the highest mean AUC" in page
    assert not re.search(r"(src|href)=\"https?:", page)
    figures = {path.stem for path in (tmp_path / "out" / "figures").glob("*.svg")}
    assert {"auc-given", "mean-auc-given", "best-given", "standing-given", "gaps-given", "subgroups-given"} <= figures
    for start in ("roc-given-", "calibration-given-", "decision-given-", "ranks-given-"):
        assert any(name.startswith(start) for name in figures), start
    linked = re.findall(r'href="(tables/[^"]+)"', page)
    assert len(linked) > 10
    assert all((tmp_path / "out" / file).is_file() for file in linked)
    assert "calibrated on validation images" not in page
    assert "Operating points" not in page


def test_one_model_is_not_compared(folder, tmp_path):
    result = evaluate_files(folder / "best.csv", folder / "table.parquet", tmp_path / "out", replicates=0)
    write_predictions_report(result)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<h1>How well does best do on these images?</h1>" in page
    assert "<strong>best</strong> reaches a mean AUC over the pathologies of" in page
    assert "highest mean AUC" not in page
    assert (tmp_path / "out" / "figures" / "auc-given.svg").exists()
