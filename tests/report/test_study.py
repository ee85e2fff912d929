"""Result tables are read by their schema: empty ones are no trouble, damaged ones are named."""

import shutil

import pytest

from cxrbench.errors import StudyError
from cxrbench.evaluate.tables import RESULT_TABLES
from cxrbench.report import write_report


@pytest.fixture
def study(reported_study, tmp_path):
    """A copy that may be spoiled."""
    return shutil.copytree(reported_study, tmp_path / "study", ignore=shutil.ignore_patterns("report"))


@pytest.mark.parametrize("content", ["header", "nothing"])
def test_a_table_without_rows_leaves_out_what_it_would_show(study, content):
    for name in ("gaps", "gaps_seeds", "comparison", "ensembles", "pretraining"):
        header = ",".join(RESULT_TABLES[name].schema) + "\n"
        (study / "results" / f"{name}.csv").write_text(header if content == "header" else "", encoding="utf-8")
    page = write_report(study).read_text(encoding="utf-8")
    assert "Groups of images" in page
    assert "Gaps of all approaches" not in page
    assert "How sure the differences are" not in page


def test_a_damaged_table_is_named_with_the_row(study):
    path = study / "results" / "auc_summary.csv"
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True)) | {"mean": "high"}
    path.write_text("\n".join([header, ",".join(cells.values()), *rest]), encoding="utf-8")
    with pytest.raises(StudyError, match=r"auc_summary\.csv, row 1, column 'mean': 'high' is not a number; evaluate"):
        write_report(study)
