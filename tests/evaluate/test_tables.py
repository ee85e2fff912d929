"""All result tables are listed once, described on the page of results, and read back with their types."""

from pathlib import Path
from runpy import run_path

import pytest

from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.tables import RESULT_TABLES, read_results
from fake_study import write_fake_study

SCRIPT = run_path(str(Path(__file__).parents[2] / "benchmarks" / "results_page.py"))


def test_the_page_of_results_describes_every_column():
    page = SCRIPT["PAGE"].read_text(encoding="utf-8")
    assert page == SCRIPT["with_columns"](page), "run: python benchmarks/results_page.py"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = write_fake_study(tmp_path_factory.mktemp("tables") / "study", patients=40, resamples=1, approaches=["ft"])
    evaluate_study(folder, replicates=0)
    return folder


def test_a_study_writes_these_tables_and_no_others(study):
    files = {path.name for path in (study / "results").iterdir()}
    assert files == {table.file for table in RESULT_TABLES.values()} | {"calibration.json"}


def test_tables_are_read_with_their_types_even_where_they_have_no_rows(study):
    tables = read_results(study)
    assert {name: dict(table.schema) for name, table in tables.items()} == {
        name: table.schema for name, table in RESULT_TABLES.items()
    }
    assert tables["comparison"].height == tables["pretraining"].height == 0


@pytest.mark.parametrize("table", RESULT_TABLES.values(), ids=RESULT_TABLES)
def test_every_column_is_described_in_sentences(table):
    assert table.summary.endswith(".")
    assert all(column.meaning.endswith(".") and "|" not in column.meaning for column in table.columns)
