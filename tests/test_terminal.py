"""Progress bars and tables of the terminal."""

from pathlib import Path

import polars as pl
import pytest

from cxrbench.runs import RunName
from cxrbench.study import Outcome, Plan, RunTask
from cxrbench.terminal import StudyBars, show_table, shown_progress
from cxrbench.training import Step

NAME = RunName("large", "resample-2", 0)


def test_what_is_tracked_comes_through_unchanged_with_its_rate(capsys):
    with shown_progress() as track:
        assert list(track(range(5), total=5, label="decoding")) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr().err
    assert "decoding" in shown
    assert "5/5" in shown
    assert "/s" in shown


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Outcome(NAME, 3.4), "large / resample-2 / seed 0: done in 3 s"),
        (Outcome(NAME, 3.4, failure="loss [NaN] in epoch 2"), "FAILED: loss [NaN] in epoch 2 in 3 s"),
    ],
)
def test_each_run_leaves_a_line_that_says_how_it_ended(capsys, outcome, line):
    task = RunTask(NAME, None, Path("study"), Path("store"), None)
    with StudyBars(Plan(to_do=(task,), done=())) as bars:
        bars.begin(task)(Step(epoch=1, epochs=4, batch=2, batches=10, val_loss=0.25))
        assert bars.finished(outcome) is outcome
    assert line in capsys.readouterr().err


def test_a_table_shows_decimals_thousands_and_gaps(capsys):
    show_table(pl.DataFrame({"finding": ["Mass", None], "auc_mean": [0.123456, 0.5], "images": [25596, 3]}))
    shown = capsys.readouterr().out
    assert "_" not in shown
    assert "0.1235" in shown
    assert "25,596" in shown
    assert "None" not in shown


def test_a_narrow_terminal_cuts_no_number(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    show_table(pl.DataFrame({f"positive_patients_{k}": [123_456_789 + k] for k in range(4)}))
    assert "123,456,789  123,456,790  123,456,791  123,456,792" in capsys.readouterr().out
