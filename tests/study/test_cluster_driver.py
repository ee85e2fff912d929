"""What the driver of a cluster does with lost nodes, failures and Ctrl-C, told by a Ray that does what it is told."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cxrbench import __version__
from cxrbench.config import ClusterSettings, StudySettings, parse_settings
from cxrbench.environment import PATIENCE, free_port
from cxrbench.errors import ConfigError, StudyError
from cxrbench.runs import RunName
from cxrbench.study import cluster as cluster_module
from cxrbench.study.cluster import carry_out_on
from cxrbench.study.performing import Outcome
from cxrbench.study.plan import Plan, RunTask
from cxrbench.study.storage import Away, Storage


class RayError(Exception): ...


class RayTaskError(RayError): ...


class RuntimeEnvSetupError(RayError): ...


class GetTimeoutError(RayError): ...


@dataclass
class ToldRay:
    """Ends runs in the order in which they begin, with what ``ends`` says by approach; then, they are done."""

    ends: dict[str, list[Exception]] = field(default_factory=dict)
    node: dict[str, Any] = field(default_factory=lambda: {"CPU": 4.0, "memory": 8e9})
    seen: str | Exception | None = None
    begun: Counter[str] = field(default_factory=Counter)
    shares: list[dict[str, Any]] = field(default_factory=list)
    gpu_shares: list[float] = field(default_factory=list)
    most_at_a_time: int = 0
    cancelled: list[RunTask] = field(default_factory=list)
    is_up: bool = False

    exceptions = SimpleNamespace(
        RayError=RayError,
        RayTaskError=RayTaskError,
        RuntimeEnvSetupError=RuntimeEnvSetupError,
        GetTimeoutError=GetTimeoutError,
    )
    util = SimpleNamespace(
        scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: (node, soft))
    )

    def init(self, **options):
        self.is_up = True

    def shutdown(self):
        self.is_up = False

    def nodes(self):
        return [{"Alive": True, "NodeID": "a", "NodeManagerAddress": "10.0.0.1", "Resources": self.node}]

    def cluster_resources(self):
        return self.node

    def remote(self, *functions, **share):
        if functions:  # the look at the study
            look = SimpleNamespace(remote=lambda *arguments: "look")
            return SimpleNamespace(options=lambda **options: look)
        self.shares.append(share)
        return lambda function: SimpleNamespace(remote=self._begin)

    def _begin(self, task, threads, away):
        self.begun[task.name.approach] += 1
        self.gpu_shares.append(task.compute.gpu_share)
        return task

    def wait(self, running, *, num_returns):
        self.most_at_a_time = max(self.most_at_a_time, len(running))
        return running[:num_returns], running[num_returns:]

    def get(self, run, **options):
        if run == "look":
            if isinstance(self.seen, Exception):
                raise self.seen
            return self.seen
        endings = self.ends.get(run.name.approach, [])
        if endings:
            raise endings.pop(0)
        return Outcome(run.name, 1.0)

    def cancel(self, run, *, force):
        self.cancelled.append(run)


@dataclass(frozen=True)
class Task(RunTask):
    """A task that can be a key, as Ray's references are."""

    def __hash__(self):
        return hash(self.name)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Carry out runs of the named approaches on a cluster that does what it is told."""

    def carry_out(ray, *approaches, at_most=None, **settings):
        monkeypatch.setattr(cluster_module, "import_ray", lambda: ray)
        tasks = [Task(RunName(name, "resample-1", 0), None, tmp_path, tmp_path / "store", None) for name in approaches]
        cluster = ClusterSettings.model_validate({"address": "auto"} | settings)
        return carry_out_on(cluster, Plan(tuple(tasks), ()), at_most=at_most)

    return carry_out


def test_what_is_lost_is_begun_again(make):
    ray = ToldRay(ends={"ft": [RayError("node died"), RayError("worker died")]})
    outcomes = list(make(ray, "ots", "ft", "large"))
    assert sorted(outcome.name.approach for outcome in outcomes) == ["ft", "large", "ots"]
    assert {outcome.failure for outcome in outcomes} == {None}
    assert ray.begun == {"ots": 1, "ft": 3, "large": 1}
    assert not ray.is_up


def test_a_run_that_is_lost_each_time_is_not_begun_for_ever(make, tmp_path):
    ray = ToldRay(ends={"ft": [RayError("node died\nmore")] * 9})
    (outcome,) = make(ray, "ft", attempts=3)
    assert ray.begun == {"ft": 3}
    assert outcome.failure == "its node or process was lost each time, last: node died"
    assert "node died" in (outcome.name.folder(tmp_path).with_name("seed-0.partial") / "failure.json").read_text()


def test_a_run_that_cannot_be_made_there_is_not_begun_again(make):
    ray = ToldRay(ends={"ft": [RayTaskError("traceback\nModuleNotFoundError: No module named 'cxrbench'\n")]})
    (outcome,) = make(ray, "ft")
    assert ray.begun == {"ft": 1}
    assert outcome.failure == "ModuleNotFoundError: No module named 'cxrbench'"


def test_runs_at_a_time_are_limited_when_asked(make):
    free, limited = ToldRay(), ToldRay()
    list(make(free, "ots", "ft", "large"))
    list(make(limited, "ots", "ft", "large", at_most=2))
    assert (free.most_at_a_time, limited.most_at_a_time) == (3, 2)


def test_what_runs_is_cancelled_when_the_study_is_stopped(make):
    ray = ToldRay()
    outcomes = make(ray, "ots", "ft", "large")
    next(outcomes)
    outcomes.close()  # what an exception such as Ctrl-C comes down to
    assert [run.name.approach for run in ray.cancelled] == ["ft", "large"]
    assert not ray.is_up


def test_each_run_gets_its_share(make):
    ray = ToldRay(node={"CPU": 8.0, "GPU": 1.0, "memory": 64e9})
    list(make(ray, "ft", cpus=4, gpus=0.5, memory_gb=16))
    list(make(ray, "ft"))
    own, usual = ray.shares
    assert (own["num_cpus"], own["num_gpus"], own["memory"]) == (4, 0.5, 16e9)
    assert (usual["num_cpus"], usual["num_gpus"], usual["memory"]) == (1, 1, None)
    assert ray.gpu_shares == [0.5, 1.0]
    assert own["runtime_env"]["env_vars"] == {**PATIENCE, "OMP_NUM_THREADS": "4"}


def test_a_run_that_cannot_be_fetched_has_failed_and_the_others_go_on(make, tmp_path, monkeypatch):
    def pull(storage, task):
        if task.name.approach == "ft":
            raise StudyError("config.json: not the file that was sent")

    monkeypatch.setattr(cluster_module, "send_study", lambda url, cache, tasks: Away(Storage(url), "shared/0"))
    monkeypatch.setattr(cluster_module, "pull_run", pull)
    failures = {run.name.approach: run.failure for run in make(ToldRay(), "ots", "ft", "large", storage="memory://x")}
    assert (failures["ots"], failures["large"]) == (None, None)
    assert failures["ft"].startswith("made, but not fetched from memory://x (config.json: not the file that was sent)")
    noted = RunName("ft", "resample-1", 0).folder(tmp_path).with_name("seed-0.partial") / "failure.json"
    assert failures["ft"] in noted.read_text()


def test_a_cluster_without_room_for_a_run_is_refused(make):
    with pytest.raises(StudyError, match=r"no node of the cluster has room for a run \(CPU 1, GPU 2\)"):
        list(make(ToldRay(), "ft", gpus=2))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ("does not see /data/study", "node 10.0.0.1: does not see /data/study"),
        (RayTaskError("x\nImportError: cxrbench"), r"node 10.0.0.1: cannot run cxrbench \(ImportError: cxrbench\)"),
        (GetTimeoutError("late"), "node 10.0.0.1: does not answer within 600 s; .*RAY_worker_niceness=0"),
    ],
)
def test_a_node_that_cannot_make_runs_is_named(make, seen, said):
    ray = ToldRay(seen=seen)
    with pytest.raises(StudyError, match=said):
        list(make(ray, "ft"))
    assert not ray.begun
    assert not ray.is_up


def test_a_node_that_is_lost_before_it_answers_does_not_stop_the_others(make):
    assert [outcome.failure for outcome in make(ToldRay(seen=RayError("node died")), "ft")] == [None]


def test_what_a_node_looks_at(tmp_path):
    study, store = tmp_path / "study", tmp_path / "elsewhere" / "store"
    study.mkdir()
    token = study / ".seen-1"
    version = cluster_module.__version__
    assert cluster_module._look(token, store, "0.0.1").startswith(f"has cxrbench {version}, this machine 0.0.1")
    assert cluster_module._look(token, store, version).startswith(f"does not see {study};")
    token.touch()
    assert cluster_module._look(token, store, version).startswith(f"does not see {store.parent};")
    store.mkdir(parents=True)
    assert cluster_module._look(token, store, version) is None
    assert list(study.iterdir()) == [token]


def test_no_ray_names_the_extra(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(cluster_module.importlib, "import_module", absent)
    with pytest.raises(StudyError, match=r"pip install 'cxrbench\[cluster\]'"):
        cluster_module.import_ray()


@pytest.mark.parametrize(("own", "seen"), [(None, "0"), ("1", "1")], ids=["by default", "the user's own value"])
def test_workers_are_not_started_by_uv_even_if_the_driver_was(monkeypatch, own, seen):
    name, looked_at = "RAY_ENABLE_UV_RUN_RUNTIME_ENV", []
    monkeypatch.setattr(cluster_module.os, "environ", {} if own is None else {name: own})
    monkeypatch.setattr(cluster_module.importlib, "import_module", lambda _: looked_at.append(os.environ[name]))
    cluster_module.import_ray()
    assert looked_at == [seen]


def test_no_cluster_is_one_line(make):
    ray = ToldRay()

    def refuse(**options):
        raise ConnectionError("nobody\nthere")

    ray.init = refuse
    with pytest.raises(StudyError, match=r"no Ray cluster answers at 'auto' \(nobody there\)"):
        list(make(ray, "ft"))


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_where_nobody_listens_is_told_at_once(scheme):
    address = f"{scheme}127.0.0.1:{free_port()}"
    told = pytest.raises(StudyError, match=f"no Ray cluster answers at '{address}' .*Connection refused")
    with told, cluster_module.connected(ToldRay(), address):
        pytest.fail("it was")


def test_a_node_that_cannot_write_its_cache_says_so(tmp_path):
    (tmp_path / "file").touch()
    away = Away(Storage("memory://x", cache=tmp_path / "file" / "cache"), "shared/0")
    said = cluster_module._look_away(away, __version__)
    assert said.startswith("cannot write to its cache (")
    assert said.endswith("); name another with cluster.cache")


def test_shares_in_a_study_file(tmp_path):
    raw = {"data": "films", "out": "study", "cluster": {"address": "ray", "gpus": 0.25}}
    assert parse_settings(raw, StudySettings, where="study.yaml").cluster.gpus == 0.25
    raw["cluster"]["gpus"] = 1.5
    with pytest.raises(ConfigError, match=r"gpus is a fraction of one GPU, or whole GPUs; got 1\.5"):
        parse_settings(raw, StudySettings, where="study.yaml")


def test_paths_mean_the_same_on_every_node():
    task = RunTask(RunName("ft", "official", 0), None, Path("study"), Path("store"), Path("w.safetensors"))
    there = cluster_module._absolute(task)
    assert (there.study, there.store, there.weights) == tuple(
        Path.cwd() / name for name in ("study", "store", "w.safetensors")
    )
