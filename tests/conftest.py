"""What the tests share: the real sample, where there is one."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bright_films import bright_release
from cxrbench.environment import free_port

# Before torch is loaded: spinning threads of several test processes starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    """Without it the numbers of a test that names no seed depend on the tests that ran before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a real data set by name; the test skips where it is not at hand."""
    folder = Path(os.environ.get("CXRBENCH_SHARED", ROOT.parent / "shared"))

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"needs {name} under CXRBENCH_SHARED ({folder}), which is absent")
        return folder / name

    return find


@pytest.fixture(scope="session")
def make_archive() -> Callable[..., Path]:
    """Write an archive in the layout of the NIH release: three films a patient, Effusion bright below, Mass above."""

    return bright_release


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real study on generated films, profile small, one epoch: three approaches on two re-samples."""
    from cxrbench.config import SplitPlan, StudySettings  # noqa: PLC0415 - most tests need no torch
    from cxrbench.data.phantom import PhantomSettings, generate_release  # noqa: PLC0415
    from cxrbench.study import carry_out, make_plan, prepare_study  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("small")
    films = PhantomSettings(patients=30, seed=3, size_px=96, detail_px=64, prevalence_scale=3.0)
    generate_release(folder / "films", films, workers=1)
    settings = StudySettings(
        data=folder / "films",
        out=folder / "study",
        approaches=("1channel", "1channel-meta", "large-meta"),
        splits=SplitPlan(resamples=2),
        profile="small",
        overrides={"recipe.epochs": 1},
        workers=1,
    )
    outcomes = list(carry_out(make_plan(prepare_study(settings))))
    assert not [outcome.failure for outcome in outcomes if outcome.failure]
    return folder / "study"


@pytest.fixture(scope="session")
def small_bundle(small_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the small study's ``1channel-meta`` on the first re-sample; a test that spoils it copies it."""
    from cxrbench.bundle import choose_runs  # noqa: PLC0415
    from cxrbench.bundle.making import make_bundle  # noqa: PLC0415

    out = tmp_path_factory.mktemp("bundle") / "bundle"
    return make_bundle(small_study, choose_runs(small_study, approaches=["1channel-meta"]), out).folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """The same arithmetic here as where a process has one core."""
    import torch  # noqa: PLC0415 - most tests need no torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def ray_nodes() -> Iterator[tuple[Any, list[Any]]]:
    """A real Ray cluster on this machine: a head without room for work, and two nodes of one core each."""
    cluster, node = _ray_cluster(num_cpus=0, **NOTICED_WITHIN_SECONDS)
    try:
        yield cluster, [_start_node(cluster, num_cpus=1, **node) for _ in range(2)]
    finally:
        cluster.shutdown()


@pytest.fixture
def ray_client_address() -> Iterator[str]:
    """Where a real Ray cluster of one core on this machine takes clients."""
    cluster, _ = _ray_cluster(num_cpus=1)
    port = free_port()
    # Without the process in between, which forks one like this for each client: beside threads that may hang.
    options = {"mode": "legacy", "host": "127.0.0.1", "port": port, "address": cluster.address}
    server = subprocess.Popen(
        [sys.executable, "-m", "ray.util.client.server", *(f"--{name}={value}" for name, value in options.items())]
    )
    try:
        while not _is_listening(port):
            assert server.poll() is None, f"Ray's server of clients ended with {server.returncode}"
            time.sleep(0.1)
        yield f"ray://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
        cluster.shutdown()


def _ray_cluster(*, num_cpus: int, **system: int) -> tuple[Any, dict[str, Any]]:
    """A cluster with its head, and what its other nodes are started with."""
    if find_spec("ray") is None:  # not imported here: what Ray looks at then is not set yet
        pytest.skip("needs Ray, the extra `cluster`, which is not installed")
    from cxrbench.study import cluster as cluster_module  # noqa: PLC0415 - most tests need no torch

    cluster_module.import_ray()
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    node = {"object_store_memory": cluster_module.OBJECT_STORE_BYTES, "include_dashboard": False}
    cluster = Cluster()
    _start_node(cluster, num_cpus=num_cpus, _system_config=cluster_module.BUSY_MACHINE | system, **node)
    return cluster, node


def _is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


NOTICED_WITHIN_SECONDS = {"health_check_period_ms": 500, "health_check_initial_delay_ms": 0}
"""How soon Ray sees that a node is lost."""


def _start_node(cluster: Any, *, tries: int = 3, **options: Any) -> Any:
    """Another node; Ray gives each half a minute to start, which a busy machine may exceed."""
    try:
        return cluster.add_node(wait=False, **options)  # it has waited; waiting again would be no reason to retry
    except Exception as error:
        if tries > 1 and "timed out during startup" in str(error):
            return _start_node(cluster, tries=tries - 1, **options)
        raise
