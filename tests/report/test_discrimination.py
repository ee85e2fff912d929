"""Tables of AUCs: the best in bold, and the mean over the pathologies alone."""

import json
import re

import polars as pl
import pytest

from cxrbench import files, runs
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from cxrbench.stats.clustered import MIN_PATIENTS
from fake_study import write_fake_study
from report_pages import FEW


def test_the_best_is_bold_in_latex_where_an_interval_is_possible(reported_study):
    table = (reported_study / "report" / "tables" / "auc-resample.tex").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert rows[0] == r"Finding & Positives & 1channel & 1channel-meta & large-meta \\"
    assert len(rows) == len(FEW) + 2
    auc = pl.read_csv(reported_study / "results" / "auc.csv", infer_schema_length=None)
    own = auc.filter(pl.col("kind") == "resample", pl.col("group") == "all", pl.col("finding") != "mean")
    least = dict(own.group_by("finding").agg(pl.col("positive_patients").min()).iter_rows())
    for row in rows[1:]:
        values = [float(value) for value in re.findall(r"(?<!\$ )\b(0\.\d{3}|1\.000)\b", row)]
        bold = [float(value) for value in re.findall(r"\\textbf\{([\d.]+)\}", row)]
        finding = row.partition(" & ")[0]
        assert set(bold) == (set() if least.get(finding, MIN_PATIENTS) < MIN_PATIENTS else {max(values)})
    assert min(least.values()) < MIN_PATIENTS <= max(least.values())


def test_what_is_no_pathology_stands_apart_and_is_in_no_mean(tmp_path):
    folder = write_fake_study(tmp_path / "study", patients=60, resamples=1, approaches=["ft"], findings=FEW)
    record = json.loads((folder / runs.STUDY_FILE).read_text())
    for finding in record["vocabulary"]["findings"]:
        finding["is_pathology"] = finding["name"] in {"Effusion", "Infiltration"}
    files.write_json(folder / runs.STUDY_FILE, record)
    evaluate_study(folder, replicates=0)
    write_report(folder)
    rows = pl.read_csv(folder / "report/tables/auc-resample.csv", infer_schema=False)
    assert rows["Finding"].to_list() == ["Effusion", "Infiltration", "Mean of the pathologies", "Mass", "No Finding"]
    aucs = pl.read_csv(folder / "results/auc.csv").filter(pl.col("group") == "all").rows_by_key("finding", named=True)
    own = [aucs[name][0]["auc"] for name in ("Effusion", "Infiltration")]
    assert aucs["mean"][0]["auc"] == pytest.approx(sum(own) / 2)
