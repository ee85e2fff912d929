"""The command line: one line, exit code 2, nothing half-written."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrbench import study
from cxrbench.runs import read_study_record


@pytest.fixture
def films(make_archive, tmp_path):
    return make_archive(tmp_path / "films", patients=12)


def refused(result):
    """The one line that an error is; the exit code is 2 and no traceback is shown."""
    code, _, err = result
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 2, err
    assert len(lines) == 1
    assert "Traceback" not in err
    return lines[0]


def run(cxrbench, films, out, *more):
    return cxrbench("run", "--data", films, "--out", out, "--profile", "small", "--approach", "1channel", *more)


def test_help_names_the_subcommands(cxrbench):
    code, out, _ = cxrbench("--help")
    assert code == 0
    for name in ("demo", "run", "report", "approaches", "splits", "prepare", "phantom"):
        assert name in out


def test_help_imports_nothing_heavy():
    script = (
        "import sys, cxrbench.cli; print([m for m in ('torch', 'polars', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version(cxrbench):
    assert cxrbench("--version")[1].startswith("cxrbench ")


def test_approaches_are_listed_and_shown(cxrbench):
    code, out, _ = cxrbench("approaches")
    assert code == 0
    assert "resnet101-large-meta" in out
    code, out, _ = cxrbench("approaches", "list", "resnet38*")
    assert (code, out.count("resnet38-"), "resnet101" in out) == (0, 4, False)
    assert "no approach matches 'x*'" in refused(cxrbench("approaches", "list", "x*"))
    code, out, _ = cxrbench("approaches", "show", "large-meta")
    assert code == 0
    assert "features: [age, sex, view]" in out


def test_an_unknown_approach_is_named(cxrbench, films, tmp_path):
    assert "unknown approach 'larg'; did you mean large? valid names: ots" in refused(
        cxrbench("approaches", "show", "larg")
    )
    line = refused(cxrbench("run", "--data", films, "--out", tmp_path / "study", "--approach", "larg"))
    assert "unknown approach 'larg'" in line
    assert not (tmp_path / "study" / "runs").exists()


def test_no_such_folder(cxrbench, tmp_path):
    assert "nowhere: no such folder" in refused(run(cxrbench, tmp_path / "nowhere", tmp_path / "study"))
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Patient ID", "Patient", "Patient ID"),
        ("No Finding", "Nothing", "'Nothing'"),
        ("00000001_001.png", "00000001_000.png", "00000001_000.png"),
    ],
    ids=["column", "finding", "duplicate"],
)
def test_a_label_file_that_is_wrong(cxrbench, films, tmp_path, old, new, said):
    csv = films / "Data_Entry_2017_v2020.csv"
    csv.write_text(csv.read_text().replace(old, new))
    line = refused(run(cxrbench, films, tmp_path / "study"))
    assert said in line
    assert "Data_Entry_2017_v2020.csv" in line


def test_an_empty_label_file(cxrbench, films, tmp_path):
    (films / "Data_Entry_2017_v2020.csv").write_text("")
    assert "Data_Entry_2017_v2020.csv" in refused(run(cxrbench, films, tmp_path / "study"))


def spoil_truncated(path):
    path.write_bytes(path.read_bytes()[:-200])


def spoil_text(path):
    path.write_text("not a film")


def spoil_tiny(path):
    cv2.imwrite(str(path), np.zeros((1, 1), np.uint8))


@pytest.mark.parametrize("spoil", [spoil_truncated, spoil_text, spoil_tiny])
def test_an_image_that_cannot_be_read(cxrbench, films, tmp_path, spoil):
    spoil(films / "images" / "00000002_001.png")
    line = refused(run(cxrbench, films, tmp_path / "study"))
    assert "00000002_001.png" in line
    assert "--allow-missing" in line
    assert not (tmp_path / "study" / "store").exists()


def test_a_broken_study_file_and_an_unknown_key(cxrbench, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("data: [1")
    assert "study.yaml, line" in refused(cxrbench("run", path))
    path.write_text("data: films\nout: study\nepoch: 3\n")
    assert "unknown key 'epoch'; valid keys here: " in refused(cxrbench("run", path))


def test_what_is_missing_on_the_command_line(cxrbench):
    assert "'data' is missing" in refused(cxrbench("run", "--out", "study"))


def test_absent_imagenet_weights(cxrbench, films, tmp_path):
    result = cxrbench("run", "--data", films, "--out", tmp_path / "study", "--weights", tmp_path / "w.pth")
    assert "w.pth: no such weights file" in refused(result)


def test_a_folder_that_cannot_be_written(cxrbench, films, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert "file/study: Not a directory" in refused(run(cxrbench, films, tmp_path / "file" / "study"))

    def forbidden(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    assert "locked: Permission denied" in refused(run(cxrbench, films, tmp_path / "locked"))


def test_a_disk_that_fills_up(cxrbench, films, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device", str(tmp_path / "study" / "table.parquet"))

    monkeypatch.setattr("cxrbench.study.continuation.atomic_file", full)
    assert "table.parquet: No space left on device" in refused(run(cxrbench, films, tmp_path / "study"))


def test_a_report_of_no_study(cxrbench, tmp_path):
    assert str(tmp_path) in refused(cxrbench("report", tmp_path))
    assert str(tmp_path) in refused(cxrbench("splits", tmp_path))


def test_a_plan_is_shown_without_training(cxrbench, films, tmp_path):
    code, out, _ = run(cxrbench, films, tmp_path / "study", "--dry-run", "--workers", 1)
    assert code == 0
    assert "runs: 0 done, 5 to do" in out
    code, out, _ = cxrbench("splits", tmp_path / "study")
    assert code == 0
    assert "resample-5" in out


def test_prepare_makes_a_store_that_run_takes_up(cxrbench, films, tmp_path):
    store = tmp_path / "store"
    code, out, _ = cxrbench("prepare", "--data", films, "--out", store, "--size", 72, "--workers", 1)
    assert code == 0
    assert "36 images" in out
    before = (store / "pixels-72.npy").stat().st_mtime_ns
    code, _, _ = run(cxrbench, films, tmp_path / "study", "--store", store, "--dry-run")
    assert code == 0
    assert (store / "pixels-72.npy").stat().st_mtime_ns == before
    assert not (tmp_path / "study" / "store").exists()


def test_phantom_writes_an_archive_that_can_be_read(cxrbench, tmp_path):
    code, _, _ = cxrbench("phantom", "--out", tmp_path / "films", "--patients", 12, "--size-px", 96, "--workers", 1)
    assert code == 0
    code, out, _ = run(cxrbench, tmp_path / "films", tmp_path / "study", "--dry-run", "--workers", 1)
    assert code == 0
    assert "5 to do" in out


def test_ctrl_c_stops_and_says_how_to_go_on(cxrbench, films, tmp_path, monkeypatch):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "carry_out", interrupted)
    code, _, err = run(cxrbench, films, tmp_path / "study")
    assert code == 130
    assert "stopped; the same command goes on from here" in err
    assert "Traceback" not in err


def test_an_unknown_split_is_named_before_anything_is_decoded(cxrbench, films, tmp_path):
    said = refused(run(cxrbench, films, tmp_path / "study", "--split", "resample-9"))
    assert "'resample-9'" in said
    assert "resample-1" in said
    assert not (tmp_path / "study").exists()


def test_a_vocabulary_is_asked_for_by_name_or_file(cxrbench, films, tmp_path):
    (tmp_path / "own.yaml").write_text("name: own\nfindings: [Mass, Effusion]\n")
    code, out, err = run(cxrbench, films, tmp_path / "study", "--vocabulary", tmp_path / "own.yaml", "--dry-run")
    assert code == 0, err
    assert "note: findings that the vocabulary 'own' leaves out: Atelectasis, Cardiomegaly, Infiltration, ..." in out
    record = read_study_record(tmp_path / "study")
    assert record["findings"] == ["Mass", "Effusion"]
    said = refused(run(cxrbench, films, tmp_path / "another", "--vocabulary", "nih14"))
    assert "unknown vocabulary 'nih14'; did you mean nih15? valid names: " in said
    labels = films / "Data_Entry_2017_v2020.csv"
    said = refused(cxrbench("power", "--labels", labels, "--vocabulary", "chexpert15"))
    assert "unknown vocabulary 'chexpert15'; did you mean chexpert14?" in said
