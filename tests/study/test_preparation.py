"""What runs share: the splits that labels state."""

import json

import pytest

from cxrbench.config import SplitPlan, StudySettings
from cxrbench.data.tables import present, read_archive
from cxrbench.errors import DataError
from cxrbench.study.preparation import plan_splits, prepare_study


@pytest.fixture
def films(tmp_path):
    """ChestX-Det in small: two JSON files, whose names are the official parts."""
    folder = tmp_path / "films"
    folder.mkdir()
    for part, numbers in (("train", range(8)), ("test", range(8, 10))):
        records = [{"file_name": f"{i}.png", "syms": ["Mass"] * (i % 2), "boxes": [], "polygons": []} for i in numbers]
        (folder / f"ChestX_Det_{part}.json").write_text(json.dumps(records))
        for number in numbers:
            (folder / f"{number}.png").touch()
    return folder


def test_the_official_split_is_the_one_that_the_labels_state(films):
    archive = read_archive(films)
    (split,) = plan_splits(SplitPlan(resamples=0, official=True), archive, present(archive))
    assert split.patients["test"] == ("8.png", "9.png")
    assert len(split.patients["val"]) == 1
    assert split.source == "parts of ChestX-Det"


def test_labels_without_a_test_part_make_no_official_split(films, tmp_path):
    settings = StudySettings(
        data=films, out=tmp_path / "study", splits=SplitPlan(resamples=0, official=True), profile="small",
        approaches=("1channel",), labels=films / "ChestX_Det_train.json",
    )  # fmt: skip
    with pytest.raises(DataError, match="ChestX-Det: its labels name no test part"):
        prepare_study(settings)
