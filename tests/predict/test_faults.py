"""Damaged films are answered or refused in one line, whatever is wrong with them, and the process lives on."""

from collections import Counter

import pytest

from cxrbench.data.sandbox import KILLED
from cxrbench.predict import Prepared, Request
from cxrbench.predict.decoding import decoded
from cxrbench.predict.preparation import prepare_file
from mutated_films import MUTATIONS, mutants, sources

FILES = 60


@pytest.fixture
def altered(tmp_path):
    """Altered files of both kinds, all mutations; their requests."""
    made = list(mutants(FILES, seed=7))
    assert {one.mutation for one in made} == set(MUTATIONS)
    requests = []
    for number, mutant in enumerate(made):
        path = tmp_path / f"{number:02}-{mutant.file}"
        path.write_bytes(mutant.content)
        requests.append(Request(path=path))
    return requests


def test_whole_sources_that_are_films_are_answered(tmp_path):
    kinds = Counter()
    for source in sources()[:11]:  # those that are made here
        path = tmp_path / source.name
        path.write_bytes(source.content)
        assert isinstance(prepare_file(Request(path=path), (64,)), Prepared), source.name
        kinds[source.kind] += 1
    assert kinds == {"PNG": 6, "DICOM": 5}


def test_damaged_films_are_answered_or_refused_in_one_line(altered):
    outcomes = [outcome for _, outcome in decoded(altered, (64,), workers=1)]
    assert len(outcomes) == FILES
    refusals = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert KILLED not in refusals
    assert len(refusals) > FILES // 2
    assert all(refusal and "\n" not in refusal for refusal in refusals)
    assert all(outcome.squares[64].shape == (64, 64) for outcome in outcomes if isinstance(outcome, Prepared))
