"""Test films that pre-trained weights saw are marked in every table that holds a number from them."""

import json
from pathlib import Path

import polars as pl
import pytest

from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.columns import SEEN
from cxrbench.evaluate.seen_films import SeenFilms
from cxrbench.evaluate.tables import RESULT_TABLES, read_results
from fake_study import result, write_fake_study

MARKED = [name for name, table in RESULT_TABLES.items() if SEEN.name in table.schema]
ROW = {"archive": "nih", "with_labels": False, "basis": "image list", "test_images": 30, "test_seen": 7, "val_seen": 0}

SEEN_FILMS = SeenFilms(
    {("a", "resample-1"): 3, ("a", "resample-2"): 5, ("b", "resample-1"): 0, ("b", "resample-2"): 0}
    | {("a", "official"): 9, ("c", "resample-1"): None, ("c", "resample-2"): 1},
    {"resample-1": "resample", "resample-2": "resample", "official": "official"},
)


def marked(**row: str) -> int | None:
    table = pl.DataFrame([row]).with_columns(pl.lit(None, pl.Int64).alias(SEEN.name))
    return SEEN_FILMS.mark(table)[SEEN.name][0]


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ({"approach": "a", "split": "resample-1", "kind": "resample"}, 3),
        ({"approach": "b", "split": "resample-1", "kind": "resample"}, 0),
        ({"approach": "c", "split": "resample-1", "kind": "resample"}, None),
        ({"approach": "a", "kind": "resample"}, 5),
        ({"approach": "a", "kind": "official"}, 9),
        ({"approach": "c", "kind": "resample"}, None),
        ({"approach_a": "b", "approach_b": "a", "kind": "resample"}, 5),
        ({"approach_a": "b", "approach_b": "c", "kind": "resample"}, None),
        ({"ensemble": "all approaches", "split": "official", "kind": "official"}, 9),
        ({"ensemble": "all approaches", "split": "resample-1", "kind": "resample"}, None),
        ({"ensemble": "seeds of a", "split": "resample-2", "kind": "resample"}, 5),
    ],
)
def test_a_row_has_the_most_of_what_it_rests_on(row, seen):
    assert marked(**row) == seen


def test_measures_of_single_runs_are_marked_too():
    rows = [("a", "resample-2"), ("c", "resample-1"), ("logistic", "resample-1")]
    table = pl.DataFrame(rows, schema=["model", "split"], orient="row")
    assert SEEN_FILMS.mark_runs(table, approach="model")[SEEN.name].to_list() == [5, None, 0]


def study_with(folder: Path, **row: object) -> dict[str, pl.DataFrame]:
    """Tables of two approaches of which one has weights that saw films of the first split."""
    study = write_fake_study(folder, patients=60, resamples=2, approaches=["ft", "1channel"], is_stand_in=False)
    record = json.loads((study / "study.json").read_text())
    pretraining = [ROW | {"approach": "ft", "split": "resample-1"} | row]
    (study / "study.json").write_text(json.dumps(record | {"pretraining": pretraining}))
    evaluate_study(study, replicates=0)
    return read_results(study)


def test_every_table_of_measures_is_marked(tmp_path):
    tables = study_with(tmp_path / "study")
    assert set(MARKED) == {"auc", "auc_seeds", "auc_summary", "comparison", "gaps", "gaps_seeds", "roc", "standing",
                           "rank_correlation", "ensembles", "probabilities", "probability_summary", "reliability",
                           "net_benefit", "operation"}  # fmt: skip
    for name in MARKED:
        table = tables[name]
        by_approach = table.filter(pl.col("approach") == "ft") if "approach" in table.columns else table
        first = by_approach.filter(pl.col("split") == "resample-1") if "split" in table.columns else by_approach
        assert first[SEEN.name].to_list() == [7] * first.height, name
        if "approach" in table.columns:
            others = table.filter(pl.col("approach") == "1channel")
            assert others[SEEN.name].to_list() == [0] * others.height, name
    other_split = tables["auc"].filter(pl.col("approach") == "ft", pl.col("split") == "resample-2")
    assert set(other_split[SEEN.name]) == {0}


@pytest.mark.parametrize("basis", ["archive", "image list without a film"])
def test_what_is_not_known_is_empty(tmp_path, basis):
    tables = study_with(tmp_path / "study", basis=basis)
    own = pl.col("approach") == "ft", pl.col("split") == "resample-1"
    assert tables["auc"].filter(*own)[SEEN.name].is_null().all()
    assert tables["comparison"][SEEN.name].is_null().all()
    assert tables["pretraining"]["basis"].to_list() == [basis]


def test_weights_of_version_0_1_were_not_looked_at(tmp_path):
    study = write_fake_study(
        tmp_path / "study", patients=40, resamples=1, approaches=["ft", "1channel"], is_stand_in=False
    )
    evaluate_study(study, replicates=0)
    auc = read_results(study)["auc"]
    assert auc.filter(approach="ft")[SEEN.name].is_null().all()
    assert set(auc.filter(approach="1channel")[SEEN.name]) == {0}


def test_films_that_weights_saw_are_told_of_finished_runs_alone(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft"])
    seen = {"split": "resample-1", "archive": "nih", "with_labels": True, "basis": "image list",
            "test_images": 9, "test_seen": 4, "val_seen": 0}  # fmt: skip
    record = json.loads((study / "study.json").read_text())
    pretraining = [{"approach": approach, **seen} for approach in ("ft", "unfinished")]
    (study / "study.json").write_text(json.dumps(record | {"pretraining": pretraining}))
    evaluate_study(study)
    assert result(study, "pretraining.csv").rows(named=True) == [{"approach": "ft", **seen}]
