"""Pre-trained weights are named by approach, with the films that they saw."""

import json
from pathlib import Path

from cxrbench import files, runs
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from fake_study import write_config, write_fake_study
from report_pages import FEW, Page, small_study


def with_records(folder: Path, **records) -> Path:
    """A study whose approaches start from weights of which more is known."""
    write_fake_study(
        folder, patients=60, resamples=1, approaches=["ft", "ots", "1channel"], findings=FEW, profile="paper"
    )
    for path in folder.glob("runs/*/*/*/config.json"):
        config = json.loads(path.read_text())
        config["weights"] = records.get(config["approach"]["name"])
        write_config(path.parent, config)
    return folder


def test_weights_are_told_by_approach(tmp_path):
    seen = {"archive": "nih", "with_labels": False}
    hub = {"source": "hub", "digest": "12" * 32, "name": "resnet50.tv_in1k", "dataset": "ImageNet-1k", "tensors": 265,
           "licence": "bsd-3-clause", "licence_seen": "2026-11-30"}  # fmt: skip
    file = {"source": "file", "digest": "34" * 32, "name": "w.pth", "licence": "cc-by-nc-4.0", "saw": [seen]}
    folder = with_records(tmp_path / "study", ft=hub, ots=file)
    study = json.loads((folder / runs.STUDY_FILE).read_text())
    overlap = {"approach": "ots", "split": "resample-1", "archive": "nih", "with_labels": False, "basis": "archive",
               "test_images": 40, "test_seen": 40, "val_seen": 12}  # fmt: skip
    files.write_json(folder / runs.STUDY_FILE, study | {"pretraining": [overlap]})
    evaluate_study(folder, replicates=0)
    text = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert "ft: resnet50.tv_in1k, trained on ImageNet-1k (hub, 265 tensors matched, licence bsd-3-clause" in text
    assert (
        "ots: w.pth, trained on unknown data (file, licence cc-by-nc-4.0, saw nih without labels), SHA-256 3434" in text
    )
    assert "Not for commercial use. The licence of the pre-trained weights forbids it: ots (cc-by-nc-4.0)." in text
    assert "ots (up to 40 of 40 test films of resample-1, nih without labels)" in text
    assert (
        text.count("† Pre-trained weights saw test films before: ots (up to 40 of 40 test films of resample-1, nih") > 8
    )
    assert "at most 40 of 40" in text
    assert (folder / "report" / "tables" / "pretraining.csv").exists()


def test_weights_that_saw_nothing_leave_the_headline_alone(tmp_path):
    text = small_study(tmp_path / "study", is_stand_in=False)
    assert "saw test films" not in text
