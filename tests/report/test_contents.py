"""Analyses are shown when they were made, and made from these runs."""

import json
import re
import shutil

import pytest

from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from fake_study import write_config
from report_pages import page_section


@pytest.fixture
def study(analysed_study, tmp_path):
    """A copy that may be spoiled."""
    return shutil.copytree(analysed_study, tmp_path / "study")


def test_what_was_not_asked_is_said_with_its_command(study):
    shutil.rmtree(study / "localisation")
    shutil.rmtree(study / "nonimage")
    text = write_report(study).read_text(encoding="utf-8")
    assert "<code>cxrbench localise study/ --boxes BOXES</code>" in page_section(text, "absent")
    assert "<code>cxrbench nonimage study/</code>" in page_section(text, "absent")
    assert not re.search('id="(localisation|nonimage)"', text)


def remove(run):
    """Delete a run, and evaluate the others again."""
    shutil.rmtree(run)
    evaluate_study(run.parents[3], replicates=0)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (remove, "it tells of ft-meta / resample-1 / seed 0, which the study does not have"),
        (
            lambda run: write_config(run, json.loads((run / "config.json").read_text()) | {"norm_batch": 4}),
            "ft-meta / resample-1 / seed 0 was made anew with other settings since",
        ),
        (
            lambda run: (run.parents[3] / "localisation" / "origin.json").unlink(),
            "localisation has no readable record of the runs that it was made from",
        ),
        (
            lambda run: (run.parents[3] / "localisation" / "sanity.csv").unlink(),
            "sanity.csv cannot be read",
        ),
    ],
    ids=["run gone", "run made anew", "no record", "table gone"],
)  # fmt: skip
def test_what_tells_of_other_runs_is_left_out(study, spoil, reason):
    spoil(study / "runs" / "ft-meta" / "resample-1" / "seed-0")
    page = write_report(study).read_text(encoding="utf-8")
    shown = page_section(page, "absent")
    assert str(study) not in page
    assert reason in shown
    assert "cxrbench localise" in shown
    assert 'id="localisation"' not in page
