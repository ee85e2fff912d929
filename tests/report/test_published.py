"""Published figures: each with a source, and only beside what they can be compared with."""

import json
from types import SimpleNamespace

import pytest

from cxrbench.config import load_vocabulary
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from cxrbench.report.published import published_beside, read_published, why_not_comparable
from fake_study import write_fake_study
from report_pages import Page, small_study


@pytest.mark.parametrize("one", read_published(), ids=lambda one: one.name)
def test_each_has_a_source_and_a_plausible_value(one):
    assert one.source.startswith(("doi:", "arXiv:", "github.com/"))
    assert one.split in {"random", "official"}
    assert 0.7 < one.auc < 0.9


def test_splits_are_kept_apart():
    official, random = published_beside("official"), published_beside("resample")
    assert {one.split for one in official} == {"official"}
    assert random == published_beside("fold")
    assert [one.auc for one in official] == sorted(one.auc for one in official)


def test_the_papers_own_numbers():
    own = {one.split: one.auc for one in read_published() if one.name.startswith("Baltruschat")}
    assert own == {"random": 0.822, "official": 0.806}


RELEASE = {"is_phantom": False, "form": "NIH ChestX-ray14", "images": 112_120, "patients": 30_805}


def why_not(findings=None, **changes):
    findings = findings or load_vocabulary("nih15").names
    study = SimpleNamespace(record={"archive": {**RELEASE, **changes}}, findings=findings)
    return why_not_comparable(study)


def test_they_stand_beside_the_whole_release_alone():
    assert why_not() is None
    assert why_not(is_phantom=True) == "these are generated radiographs"
    assert why_not(form="my-archive.yaml") == "the archive is not NIH ChestX-ray14 but my-archive.yaml"
    assert "112,119 images" in why_not(images=112_119)
    assert why_not(findings=("Fracture", "Stent")) == "the study's findings are not those of the release"
    assert why_not(findings=load_vocabulary("nih15").names[:-1]) is not None


def test_a_sample_is_not_set_beside_published_figures(tmp_path):
    text = small_study(tmp_path / "study", is_phantom=False)
    assert "None can be compared with this study" in text
    assert "the release 112,120 of 30,805" in text
    assert not any(one.name in text for one in read_published())


def test_the_whole_release_is(tmp_path):
    folder = tmp_path / "study"
    write_fake_study(folder, patients=60, resamples=1, approaches=["ft"], is_phantom=False, official=True)
    evaluate_study(folder, replicates=0)
    record = json.loads((folder / "study.json").read_text())
    record["archive"] |= {"images": 112120, "patients": 30805}
    (folder / "study.json").write_text(json.dumps(record))
    text = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert all(one.name in text for one in read_published())
    assert "This study: ft, profile small" in text
