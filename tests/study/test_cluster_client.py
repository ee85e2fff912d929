"""A study that is started outside of its Ray cluster, as a client of it."""

import pytest

from cxrbench.config import ClusterSettings, StudySettings
from cxrbench.runs import PARTS, finished_runs, predictions_file
from cxrbench.study import carry_out, make_plan, prepare_study


@pytest.mark.slow
def test_a_study_through_a_client_equals_a_local_one(make_archive, tmp_path, ray_client_address, one_thread):
    films = make_archive(tmp_path / "films", patients=12)
    fields = {"approaches": ("1channel",), "profile": "small", "splits": {"resamples": 2}, "recipe": {"epochs": 1}}
    here, there = (StudySettings(data=films, out=tmp_path / name, **fields) for name in ("here", "there"))
    assert [outcome.failure for outcome in carry_out(make_plan(prepare_study(here)))] == [None] * 2

    plan = make_plan(prepare_study(there))
    outcomes = list(carry_out(plan, cluster=ClusterSettings(address=ray_client_address)))

    assert [outcome.failure for outcome in outcomes] == [None] * 2
    assert sorted(outcome.name for outcome in outcomes) == finished_runs(there.out) == finished_runs(here.out)
    for name in finished_runs(here.out):
        for file in map(predictions_file, PARTS[1:]):
            assert (name.folder(here.out) / file).read_bytes() == (name.folder(there.out) / file).read_bytes(), file
