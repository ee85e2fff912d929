"""Processes that decode: order is kept, and a file that kills one costs itself only."""

import signal

import cv2
import numpy as np
import pytest

import held_up
from cxrbench.data.sandbox import KILLED
from cxrbench.predict import Prepared, Request, decoding
from cxrbench.predict.decoding import decoded


@pytest.fixture
def films(tmp_path):
    requests = []
    for i in range(6):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), np.full((20 + i, 30), 10 * i, np.uint8))
        requests.append(Request(path=path))
    requests.insert(3, Request(path=tmp_path / "absent.png"))
    return requests


@pytest.mark.parametrize("workers", [0, 2])
def test_order_and_errors(films, workers):
    outcomes = list(decoded(films, (16, 24), workers=workers))
    assert [request for request, _ in outcomes] == films
    assert outcomes[3][1] == "No such file or directory"
    heights = [film.height for _, film in outcomes if isinstance(film, Prepared)]
    assert heights == [20, 21, 22, 23, 24, 25]
    assert outcomes[0][1].squares[24].shape == (24, 24)


def test_a_file_that_holds_its_decoder_up_costs_itself_only(films, monkeypatch):
    """The alarm ends the process whatever it does, so that the rest is as after a crash in C."""
    if not hasattr(signal, "alarm"):
        pytest.skip("needs alarms, which this system does not have")
    monkeypatch.setattr(decoding, "SECONDS", 3)
    monkeypatch.setattr(decoding, "prepare_file", held_up.prepare_file)
    films[1] = Request(path=films[1].path.rename(films[1].path.with_suffix(".slow")))
    outcomes = [outcome for _, outcome in decoded(films[:3], (16,), workers=1)]
    assert outcomes[1] == KILLED
    assert [outcome.height for outcome in outcomes[::2]] == [20, 22]
