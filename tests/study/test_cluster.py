"""Runs on a real Ray cluster of nodes on this machine, one of which is killed while it trains."""

import pytest

from cxrbench.config import ClusterSettings, StudySettings
from cxrbench.files import partial_of
from cxrbench.runs import CONFIG_FILE, PARTS, finished_runs, predictions_file
from cxrbench.study import carry_out, make_plan, prepare_study
from lost_node import LostNode


def settings(films, out, **changes):
    fields = {
        "data": films,
        "out": out,
        "approaches": ("1channel", "1channel-meta"),
        "profile": "small",
        "splits": {"resamples": 2},
        "recipe": {"epochs": 8},
    }
    return StudySettings.model_validate(fields | changes)


@pytest.fixture(scope="module")
def films(make_archive, tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive") / "films", patients=12)


@pytest.mark.slow
def test_a_study_whose_node_is_killed_equals_a_local_one(films, tmp_path, ray_nodes, one_thread):
    here, there = settings(films, tmp_path / "here"), settings(films, tmp_path / "there")
    assert [outcome.failure for outcome in carry_out(make_plan(prepare_study(here)))] == [None] * 4

    plan = make_plan(prepare_study(there))
    cluster, (lost, _) = ray_nodes  # each is given a run at once, as there are four
    lost = LostNode(cluster, lost, when=lambda: any(there.out.glob("runs/*/*/*.partial/attempt-*/state.pt")))
    outcomes = list(carry_out(plan, cluster=ClusterSettings(address=cluster.address)))

    assert lost.is_lost
    assert [outcome.failure for outcome in outcomes] == [None] * 4
    assert sorted(outcome.name for outcome in outcomes) == finished_runs(there.out) == finished_runs(here.out)
    for name in finished_runs(here.out):
        assert not partial_of(name.folder(there.out)).exists()
        for file in (CONFIG_FILE, *(predictions_file(part) for part in PARTS[1:])):
            assert (name.folder(here.out) / file).read_bytes() == (name.folder(there.out) / file).read_bytes(), file
    assert not list(there.out.glob(".seen-*"))
