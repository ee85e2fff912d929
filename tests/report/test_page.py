"""The page of a study: complete, self-contained, accessible, and honest about what it cannot say."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

import fake_study
from cxrbench import files, runs
from cxrbench.errors import StudyError
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from cxrbench.report.published import read_published
from cxrbench.runs import RunName
from fake_study import STRENGTHS, write_fake_study

FEW = ("Effusion", "Infiltration", "Mass", "No Finding")
VOID = {"meta", "line", "br", "input", "link", "path", "use", "rect", "image"}


class Page(HTMLParser):
    """Elements of a page with their attributes, and text by element; refuses tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.headings: list[tuple[str, str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"h1", "h2", "h3"}:
            self.headings.append((tag, ""))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text += data
        if self.open and self.open[-1] in {"h1", "h2", "h3"}:
            level, said = self.headings[-1]
            self.headings[-1] = (level, said + data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "study"
    write_fake_study(
        folder, patients=150, approaches=["1channel", "1channel-meta", "large-meta"], official=True, findings=FEW
    )
    failed = files.partial_of(RunName("large", "resample-1", 0).folder(folder))
    files.write_json(failed / runs.FAILURE_FILE, {"reason": "loss is nan in epoch 3, batch <7> & more"})
    evaluate_study(folder, replicates=100)
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(study) -> Page:
    return Page((study / "report" / "index.html").read_text(encoding="utf-8"))


def small_study(folder: Path, **changes) -> str:
    """Text of the page of the smallest study."""
    write_fake_study(folder, **{"patients": 60, "resamples": 1, "approaches": ["ft"], "findings": FEW, **changes})
    evaluate_study(folder, replicates=0)
    return Page(write_report(folder).read_text(encoding="utf-8")).text


def test_nothing_is_fetched(study):
    text = (study / "report" / "index.html").read_text(encoding="utf-8")
    fetched = re.findall(r'(?:src|(?<!xlink:)href|action|poster|data)\s*=\s*"([^"]*)"', text)
    assert all(address.startswith("#") for address in fetched), fetched
    assert not re.findall(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|<(?:link|iframe|img|object)\b", text)
    addresses = set(re.findall(r'https?://[^\s"<>]+', text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [link["href"] for link in page.all("a")]
    assert len(targets) > 5
    assert all(target.removeprefix("#") in ids for target in targets)


def test_headings_descend_one_by_one(page):
    levels = [int(tag[1]) for tag, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_everything_is_on_it(page):
    said = {text for _, text in page.headings}
    assert {
        "Three approaches compared on generated radiographs", "At a glance", "Re-samples by patient", "Official split",
        "AUC per finding", "How sure the differences are", "What each ingredient changes", "ROC curves",
        "Do the approaches agree?", "Groups of images", "The archive", "Training", "Published figures", "Provenance",
        "Machines and versions",
    } <= said  # fmt: skip


def test_tables_have_captions_and_headers(page):
    assert len(page.all("table")) == len(page.all("caption")) > 8
    assert {header.get("scope") for header in page.all("th")} == {"row", "col"}


def test_figures_say_what_they_show(page):
    drawn = [svg for svg in page.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(drawn) > 40
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 20 for svg in drawn)


def test_numbers_are_those_of_the_results(study, page):
    summary = pl.read_csv(study / "results" / "auc_summary.csv", infer_schema_length=None).filter(
        pl.col("group") == "all", pl.col("finding") == "mean", pl.col("kind") == "resample"
    )
    for row in summary.iter_rows(named=True):
        assert f"{row['mean']:.3f} ± {row['sd']:.3f}" in page.text
    best = summary.sort("mean")["approach"][-1]
    assert f"{best} has the highest mean AUC" in page.text


def test_provenance_is_told(page):
    for fact in (
        "Fake CPU", "torch", "2.15.0", "lost_000.png", "bad_000.png (the file ends early)",
        "2 ages are outside 0..120", "loss is nan in epoch 3, batch <7> & more",
        "cdcdcdcdcdcd", "resample-1", "generated radiographs, read as NIH ChestX-ray14",
    ):  # fmt: skip
        assert fact in page.text
    assert "/somewhere" not in page.text


def test_the_same_tables_and_figures_lie_beside_it(study, page):
    folder = study / "report"
    tables = {path.stem for path in (folder / "tables").glob("*.csv")}
    assert tables == {path.stem for path in (folder / "tables").glob("*.tex")}
    assert {"auc-resample", "auc-official", "archive", "splits", "runs", "failures", "best-resample"} <= tables
    assert len(list((folder / "figures").glob("*.svg"))) == len(
        [svg for svg in page.all("svg") if svg.get("aria-hidden") != "true"]
    )


def test_the_best_is_bold_in_latex(study):
    table = (study / "report" / "tables" / "auc-resample.tex").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert rows[0] == r"Finding & Positives & 1channel & 1channel-meta & large-meta \\"
    assert len(rows) == len(FEW) + 2
    for row in rows[1:]:
        values = [float(value) for value in re.findall(r"(?<!\$ )\b(0\.\d{3}|1\.000)\b", row)]
        bold = [float(value) for value in re.findall(r"\\textbf\{([\d.]+)\}", row)]
        assert set(bold) == {max(values)}


def test_cautions_are_first(tmp_path):
    text = small_study(tmp_path / "study")
    first = text.index("At a glance")
    for caution in ("Part of the archive.", "Stand-in weights.", "Generated radiographs.", "Profile small."):
        assert -1 < text.index(caution) < first


def test_no_cautions_where_there_is_nothing_to_say(tmp_path):
    text = small_study(tmp_path / "study", profile="paper", is_stand_in=False, is_phantom=False)
    for caution in ("Stand-in weights.", "Generated radiographs.", "Profile paper."):
        assert caution not in text


def with_records(folder: Path, **records) -> Path:
    """A study whose approaches start from weights of which more is known."""
    write_fake_study(
        folder, patients=60, resamples=1, approaches=["ft", "ots", "1channel"], findings=FEW, profile="paper"
    )
    for path in folder.glob("runs/*/*/*/config.json"):
        config = json.loads(path.read_text())
        config["weights"] = records.get(config["approach"]["name"])
        files.write_json(path, config)
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
    assert "the pre-trained weights of ots saw test films before" in text
    assert "at most 40 of 40" in text
    assert (folder / "report" / "tables" / "pretraining.csv").exists()


def test_weights_that_saw_nothing_leave_the_headline_alone(tmp_path):
    text = small_study(tmp_path / "study", is_stand_in=False)
    assert "saw test films" not in text


def test_too_few_patients_for_an_interval_is_said(tmp_path):
    text = small_study(tmp_path / "study", patients=20, approaches=["ft", "large"], seed=3)
    assert "No interval can be given" in text
    assert "how sure their order is cannot be said" in text


def test_one_approach_has_nothing_to_be_compared_with(tmp_path):
    text = small_study(tmp_path / "study")
    assert "there is nothing to compare it with" in text
    assert "How sure the differences are" not in text


def test_a_sample_is_not_set_beside_published_figures(tmp_path):
    text = small_study(tmp_path / "study", is_phantom=False)
    assert "None is shown beside this study" in text
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


def test_an_earlier_report_is_replaced(study):
    (study / "report" / "stale.txt").write_text("old")
    before = (study / "report" / "index.html").read_bytes()
    assert write_report(study) == study / "report" / "index.html"
    assert (study / "report" / "index.html").read_bytes() == before
    assert not (study / "report" / "stale.txt").exists()


def test_without_results(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft"])
    with pytest.raises(StudyError, match=r"results has no table auc; evaluate the study again"):
        write_report(study)


def test_all_sixteen_approaches_fit(tmp_path):
    names = [f"{depth}{name}" for depth in ("", "resnet101-") for name in STRENGTHS]
    text = small_study(tmp_path / "study", approaches=names)
    assert "16 approaches compared" in text


def without(monkeypatch, **columns):
    """Let fake studies have other values in some columns of their table."""
    whole = fake_study.fake_table
    monkeypatch.setattr(
        fake_study, "fake_table", lambda *given, **named: whole(*given, **named).with_columns(**columns)
    )


@pytest.mark.parametrize("view", ["PA", None], ids=["one view", "no view"])
def test_a_study_that_knows_neither_age_nor_sex(tmp_path, monkeypatch, view):
    unknown = {"age_years": pl.lit(None, pl.Float32), "sex": pl.lit(None, pl.String)}
    without(monkeypatch, **unknown, view=pl.lit(view, pl.String))
    said = small_study(tmp_path / "study")
    assert "No patient’s age is known." in said
    assert "Sex unknown" in said
    assert not (tmp_path / "study/report/figures/ages.svg").exists()


def test_findings_that_no_network_answers_are_named_with_the_split_that_lacks_them(tmp_path):
    folder = write_fake_study(tmp_path / "study", patients=60, resamples=1, approaches=["ft"], findings=FEW)
    record = json.loads((folder / runs.STUDY_FILE).read_text())
    lacking = {"Stent": {"resample-1": "0 positive patients", "resample-2": "0 positive patients"}}
    record["vocabulary"]["findings"] += [{"name": name} for name in ("Stent", "Línea PICC")]
    record["left_out"] = {**lacking, "Línea PICC": {"resample-2": "not stated"}}
    files.write_json(folder / runs.STUDY_FILE, record)
    evaluate_study(folder, replicates=0)
    said = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert "No network answers Stent and Línea PICC, which the labels name" in said
    assert "0 positive patients in the training part of resample-1, resample-2" in said
    table = pl.read_csv(folder / "report/tables/left-out.csv")
    assert table.rows()[1] == ("Línea PICC", "not stated in the training part of resample-2")


def test_a_study_of_nihs_findings_has_none_left_out(page, study):
    assert "no network answers" not in page.text
    assert not (study / "report/tables/left-out.csv").exists()


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
