"""Numbers of approaches whose weights saw test films carry a mark, in tables, figures and the headline."""

import json

import polars as pl
import pytest

from cxrbench import files, runs
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from fake_study import write_fake_study
from report_pages import FEW, page_section

SEEN = {"approach": "ft", "split": "resample-1", "archive": "nih", "with_labels": True, "basis": "patients",
        "test_images": 40, "test_seen": 7, "val_seen": 3}  # fmt: skip


@pytest.fixture(scope="module")
def seen_study(tmp_path_factory):
    """A study on a re-sample and the official lists; weights of ft saw films of the former."""
    folder = tmp_path_factory.mktemp("seen") / "study"
    write_fake_study(
        folder, patients=100, resamples=1, official=True, approaches=["ft", "large", "ots"], findings=FEW, seeds=(0, 1)
    )
    record = json.loads((folder / runs.STUDY_FILE).read_text())
    files.write_json(folder / runs.STUDY_FILE, record | {"pretraining": [SEEN]})
    evaluate_study(folder, replicates=20)
    write_report(folder)
    return folder


def printed(study, name: str) -> pl.DataFrame:
    return pl.read_csv(study / "report" / "tables" / f"{name}.csv", infer_schema=False)


def test_columns_of_the_approach_are_marked_and_no_others(seen_study):
    table = printed(seen_study, "auc-resample")
    assert all("†" in cell for cell in table["ft"])
    assert "†" not in table.drop("ft").write_csv()
    assert "†" not in printed(seen_study, "auc-official").write_csv()


def test_rows_that_rest_on_it_are_marked(seen_study):
    for name in ("agreement-resample", "ensembles-resample", "subgroups-resample"):
        assert "†" in printed(seen_study, name).write_csv(), name
    pairs = printed(seen_study, "agreement-resample")
    is_concerned = pairs["Approaches"].str.contains(r"\bft\b")
    assert (pairs["Rank correlation"].str.contains("†") == is_concerned).all()


def test_every_table_with_a_mark_explains_it(seen_study):
    page = (seen_study / "report" / "index.html").read_text(encoding="utf-8")
    note = "† Pre-trained weights saw test films before: ft (7 of 40 test films of resample-1, nih with labels)."
    blocks = page.split('<div class="printed"')[1:]
    marked = [block for block in blocks if "<sup>†</sup>" in block.partition("</table>")[0]]
    assert len(marked) > 5
    assert all(note in block for block in marked)
    assert note in page_section(page, "glance")
    assert r"$^\dagger$" in (seen_study / "report" / "tables" / "auc-resample.tex").read_text(encoding="utf-8")


def test_figures_mark_it_too(seen_study):
    figures = seen_study / "report" / "figures"
    assert ">ft †<" in (figures / "mean-auc-resample.svg").read_text(encoding="utf-8")
    assert "†" not in (figures / "mean-auc-official.svg").read_text(encoding="utf-8")
