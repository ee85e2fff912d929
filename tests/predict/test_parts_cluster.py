"""Parts on a real Ray cluster of nodes on this machine, one of which is killed while it predicts."""

import shutil
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from cxrbench.bundle import load_bundle
from cxrbench.config import ClusterSettings
from cxrbench.errors import StudyError
from cxrbench.files import partial_of
from cxrbench.predict.cluster import PartActor, Place, on_cluster
from cxrbench.predict.gathering import find
from cxrbench.predict.parts import Options, Work, here, predict_parts

OPTIONS = Options(part_size=3, batch_size=2)


def make_all(bundle, films, out, make):
    predict_parts(bundle, find([str(films)]), out, make=make, options=OPTIONS)
    return pl.read_parquet(out / "predictions" / "*.parquet")


def test_a_node_that_does_not_see_the_films_says_so(small_bundle, tmp_path):
    work = Work(bundle=small_bundle, folder=tmp_path)
    with pytest.raises(StudyError, match=r"a node does not see /elsewhere/film\.png; bundle, films and parts must lie"):
        PartActor(Place(work=work, witness=Path("/elsewhere/film.png"), cpus=1))


def test_a_client_is_refused():
    with pytest.raises(StudyError, match=r"ray://head:10001: Ray Data.* --on auto"):
        on_cluster(ClusterSettings(address="ray://head:10001"))


@pytest.fixture
def films(small_study, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    for path in sorted((small_study.parent / "films").rglob("*.png"))[:30]:
        shutil.copy(path, folder / path.name)
    return folder


def kill_when_it_predicts(cluster, node, out):
    """Kill a node, processes and all, when the first part is there; says whether that was so."""
    was_killed = threading.Event()

    def wait_and_kill():
        while not list(partial_of(out).glob("predictions/part-*")):
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)
        was_killed.set()

    threading.Thread(target=wait_and_kill, daemon=True).start()
    return was_killed


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")  # Ray copies settings of its own so named
def test_parts_of_a_killed_node_are_made_elsewhere(small_bundle, films, tmp_path, ray_nodes):
    bundle = load_bundle(small_bundle)
    local = make_all(bundle, films, tmp_path / "here", here(workers=1))
    cluster, (lost, _) = ray_nodes
    was_killed = kill_when_it_predicts(cluster, lost, tmp_path / "there")
    there = make_all(bundle, films, tmp_path / "there", on_cluster(ClusterSettings(address=cluster.address)))
    assert was_killed.wait(60)
    assert there.equals(local)
    assert there["path"].n_unique() == 30
