"""Parts on a real Ray cluster of nodes on this machine, one of which is killed while it predicts."""

import shutil
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
from lost_node import LostNode

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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")  # Ray copies settings of its own so named
def test_parts_of_a_killed_node_are_made_elsewhere(small_bundle, films, tmp_path, ray_nodes, one_thread):
    bundle = load_bundle(small_bundle)
    local = make_all(bundle, films, tmp_path / "here", here(workers=1))
    cluster, (lost, _) = ray_nodes
    out = tmp_path / "there"
    lost = LostNode(cluster, lost, when=lambda: out.exists() or any(partial_of(out).glob("predictions/part-*")))
    there = make_all(bundle, films, out, on_cluster(ClusterSettings(address=cluster.address)))
    assert lost.is_lost
    assert there.equals(local)
    assert there["path"].n_unique() == 30
