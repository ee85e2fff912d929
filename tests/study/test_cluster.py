"""Runs on a real Ray cluster of nodes on this machine, one of which is killed while it trains."""

import threading
import time

import pytest

from cxrbench.config import ClusterSettings, StudySettings
from cxrbench.files import partial_of
from cxrbench.runs import CONFIG_FILE, PARTS, finished_runs, predictions_file
from cxrbench.study import carry_out, make_plan, prepare_study


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


def kill_while_training(study, cluster, node):
    """Kill a node, processes and all, when the first epoch of the study is on disk; says whether that was so."""
    was_killed = threading.Event()

    def wait_and_kill():
        while not list(study.glob("runs/*/*/*.partial/attempt-*/state.pt")):
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)
        was_killed.set()

    threading.Thread(target=wait_and_kill, daemon=True).start()
    return was_killed


@pytest.mark.slow
def test_a_study_whose_node_is_killed_equals_a_local_one(films, tmp_path, ray_nodes, one_thread):
    here, there = settings(films, tmp_path / "here"), settings(films, tmp_path / "there")
    assert [outcome.failure for outcome in carry_out(make_plan(prepare_study(here)))] == [None] * 4

    plan = make_plan(prepare_study(there))
    cluster, (lost, _) = ray_nodes  # each is given a run at once, as there are four
    was_killed = kill_while_training(there.out, cluster, lost)
    outcomes = list(carry_out(plan, cluster=ClusterSettings(address=cluster.address)))

    assert was_killed.wait(60)
    assert [outcome.failure for outcome in outcomes] == [None] * 4
    assert sorted(outcome.name for outcome in outcomes) == finished_runs(there.out) == finished_runs(here.out)
    for name in finished_runs(here.out):
        assert not partial_of(name.folder(there.out)).exists()
        for file in (CONFIG_FILE, *(predictions_file(part) for part in PARTS[1:])):
            assert (name.folder(here.out) / file).read_bytes() == (name.folder(there.out) / file).read_bytes(), file
    assert not list(there.out.glob(".seen-*"))
