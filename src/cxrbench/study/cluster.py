"""The runs of a plan as tasks of a Ray cluster; the only room for Ray (extra ``cluster``).

Study and store lie on storage that every node sees at the same path, or go through an object store: nothing but names,
settings and outcomes goes through Ray. Ray's own retries are off, as it would begin a run again that takes each of its
nodes down.
"""

import importlib
import logging
import os
import socket
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from cxrbench import __version__
from cxrbench.config import LOCAL_CLUSTER, ClusterSettings
from cxrbench.environment import PATIENCE, usable_cores
from cxrbench.errors import StudyError
from cxrbench.files import try_file
from cxrbench.runs import RunName
from cxrbench.study.performing import Outcome, note_failure, perform
from cxrbench.study.plan import Plan, RunTask
from cxrbench.study.storage import Away, own_cache, perform_away, pull_run, send_study

OBJECT_STORE_BYTES = 80 * 2**20
"""The least that Ray accepts."""
BUSY_MACHINE = {"worker_niceness": 0, "worker_register_timeout_seconds": 300}
"""Ray gives its processes what others leave and a minute to start; beside other work they would never come up."""
RAY_DEFAULTS = {
    # It asks for statistics of its use otherwise.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Where `uv run` started the driver, its workers would install everything anew, in a copy of the working folder.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
CLIENT = "ray://"
"""How the address of a cluster begins that one is a client of."""
KNOCK_SECONDS = 20
"""Within which a cluster must take a connection."""
LOOK_SECONDS = 600
"""Within which a node must say whether it sees the study; its process has to start first."""
STARVED = "where other work keeps its cores busy, start Ray there with RAY_worker_niceness=0 in the environment"
"""Ray's workers have niceness 15: beside other work it takes them minutes to import torch."""


def carry_out_on(cluster: ClusterSettings, plan: Plan, *, at_most: int | None = None) -> Iterator[Outcome]:
    """Make the runs of a plan on a cluster, each as a task with its share; those of a lost node go on elsewhere.

    Args:
        cluster: Where, and what each run gets.
        plan: The runs to do.
        at_most: Runs at a time; None: as many as there is room for.

    Raises:
        StudyError: Ray is not installed, no cluster answers, or its nodes cannot make these runs.
    """
    if not plan.to_do:
        return
    ray = import_ray()
    with connected(ray, str(cluster.address)):
        share = share_of(ray, cluster)
        tasks = [_on_share(_absolute(task), share) for task in plan.to_do]
        nodes = nodes_with_room(ray, share)
        away = None
        if cluster.storage is None:
            _check_nodes(ray, nodes, tasks[0], threads=cluster.cpus)
        else:
            away = send_study(cluster.storage, cluster.cache, tasks)
            _check_nodes_away(ray, nodes, away, threads=cluster.cpus)
        yield from _make(ray, tasks, share, cluster=cluster, at_most=at_most or len(tasks), away=away)


def import_ray() -> Any:
    """The package.

    Raises:
        StudyError: It is not installed.
    """
    for name, value in RAY_DEFAULTS.items():  # Ray looks at them while it is imported
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise StudyError("a study on a cluster needs Ray: pip install 'cxrbench[cluster]'") from None


def _absolute(task: RunTask) -> RunTask:
    """The task with paths that mean the same in every working directory."""
    weights = None if task.weights is None else task.weights.absolute()
    return replace(task, study=task.study.absolute(), store=task.store.absolute(), weights=weights)


def _on_share(task: RunTask, share: Mapping[str, float]) -> RunTask:
    """The task that takes no more of a GPU's memory than the part that it gets."""
    gpus = share.get("GPU", 0.0)
    if not 0 < gpus < 1:
        return task
    return replace(task, compute=task.compute.model_copy(update={"gpu_share": gpus}))


@contextmanager
def connected(ray: Any, address: str) -> Iterator[None]:
    """Be a client of the cluster, or have one on this machine as long as the block takes."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    own = {
        "num_cpus": usable_cores(),
        "object_store_memory": OBJECT_STORE_BYTES,
        "include_dashboard": False,
        "_system_config": BUSY_MACHINE,
    }
    try:
        with warnings.catch_warnings(action="ignore"):  # an error says it all
            if address == LOCAL_CLUSTER:
                ray.init(address="local", **own, **quiet)
            else:
                _knock(address)
                ray.init(address=address, **quiet)
    except Exception as error:  # noqa: BLE001 - Ray raises Exception itself where a start takes too long
        reason = " ".join(str(error).split())
        raise StudyError(
            f"no Ray cluster answers at {address!r} ({reason:.200}); `ray status` on its head shows more. "
            "One that was started with a token wants RAY_AUTH_MODE=token and the same token here"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """See that somebody listens there: Ray itself waits for minutes.

    Raises:
        OSError: Nobody does.
    """
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()


def share_of(ray: Any, cluster: ClusterSettings) -> dict[str, float]:
    """What each run or actor gets, in Ray's words; a whole GPU where there are any, unless settings say otherwise."""
    gpus = cluster.gpus
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU") else 0.0
    share = {"CPU": float(cluster.cpus), "GPU": gpus, "memory": (cluster.memory_gb or 0) * 1e9}
    return {name: amount for name, amount in share.items() if amount}


Nodes = Sequence[Mapping[str, Any]]


def _check_nodes(ray: Any, nodes: Nodes, task: RunTask, *, threads: int) -> None:
    """See that every node sees the study.

    Raises:
        StudyError: One line that names the node.
    """
    with _token(task.study) as token:
        _ask(ray, nodes, _look, token, task.store, __version__, threads=threads)


def _check_nodes_away(ray: Any, nodes: Nodes, away: Away, *, threads: int) -> None:
    """See that every node sees the storage.

    Raises:
        StudyError: One line that names the node.
    """
    _ask(ray, nodes, _look_away, away, __version__, threads=threads)


def _ask(ray: Any, nodes: Nodes, question: Callable[..., str | None], *arguments: Any, threads: int) -> None:
    """Ask all nodes at once why runs cannot be made there, if so.

    Each is asked in a process as runs get it: the first run finds it warm, and not after another import of torch.
    """
    asked = ray.remote(question)
    options = {"num_cpus": 0, "max_retries": 0, "runtime_env": thread_settings(threads)}
    looks = {
        asked.options(scheduling_strategy=_on_node(ray, node), **options).remote(*arguments): node for node in nodes
    }
    for look, node in looks.items():
        if problem := _seen(ray, look):
            raise StudyError(f"node {node['NodeManagerAddress']}: {problem}")


def nodes_with_room(ray: Any, share: Mapping[str, float]) -> list[Mapping[str, Any]]:
    """The living nodes that have such a share, if they have nothing else to do.

    Raises:
        StudyError: There is none.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and _has_room(node, share)]
    if not nodes:
        wanted = ", ".join(f"{name} {amount:g}" for name, amount in share.items())
        raise StudyError(f"no node of the cluster has room for a run ({wanted}); ask for less, or add nodes")
    return nodes


def _has_room(node: Mapping[str, Any], share: Mapping[str, float]) -> bool:
    return all(node["Resources"].get(name, 0) >= amount for name, amount in share.items())


@contextmanager
def _token(study: Path) -> Iterator[Path]:
    """A file that proves that a node sees this folder, and not its own of the same name."""
    path = study / f".seen-{uuid4().hex}"
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _on_node(ray: Any, node: Mapping[str, Any]) -> Any:
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _look(token: Path, store: Path, version: str) -> str | None:
    """Why runs cannot be made on this node, if so."""
    if problem := _other_version(version):
        return problem
    for path in (token, store):
        if not path.exists():
            return f"does not see {path.parent}; study and store must lie on storage that all nodes share"
    try:
        reply = token.with_name(f"{token.name}-{uuid4().hex}")
        reply.touch()
        reply.unlink()
    except OSError as error:
        return f"cannot write to {token.parent} ({error.strerror})"
    return None


def _look_away(away: Away, version: str) -> str | None:
    """Why runs cannot be made on this node, if so."""
    if problem := _other_version(version):
        return problem
    try:
        cache = away.storage.cache or own_cache()
        try_file(cache / f".{uuid4().hex}")
    except (OSError, StudyError) as error:
        return f"cannot write to its cache ({error}); name another with cluster.cache"
    try:
        sees = away.storage.has(away.shared)
    except Exception as error:  # noqa: BLE001 - each kind of storage has errors of its own
        return f"cannot read {away.storage.url} ({error!r:.200})"
    return None if sees else f"does not see {away.storage.url}/{away.shared}; storage must be one that all nodes reach"


def _other_version(version: str) -> str | None:
    if version == __version__:
        return None
    return f"has cxrbench {__version__}, this machine {version}; install the same on all"


def _seen(ray: Any, look: Any) -> str | None:
    """What a node said; a node that was lost meanwhile is no problem of the others."""
    try:
        answer: str | None = ray.get(look, timeout=LOOK_SECONDS)
    except ray.exceptions.GetTimeoutError:
        return f"does not answer within {LOOK_SECONDS} s; {STARVED}"
    except (ray.exceptions.RayTaskError, ray.exceptions.RuntimeEnvSetupError) as error:
        return f"cannot run cxrbench ({last_line(error)}); install the same version on all nodes"
    except ray.exceptions.RayError:
        return None
    return answer


def last_line(error: Exception) -> str:
    """What an error from another node comes down to."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _make(
    ray: Any,
    tasks: list[RunTask],
    share: Mapping[str, float],
    *,
    cluster: ClusterSettings,
    at_most: int,
    away: Away | None,
) -> Iterator[Outcome]:
    """Keep the cluster busy; give each run's outcome as it ends."""
    there = _remote(ray, share, threads=cluster.cpus)
    waiting, begun = deque(tasks), Counter[RunName]()
    running: dict[Any, RunTask] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_most:
                task = waiting.popleft()
                begun[task.name] += 1
                running[there.remote(task, cluster.cpus, away)] = task
            (ended,), _ = ray.wait(list(running), num_returns=1)
            task = running.pop(ended)
            outcome = _outcome(ray, ended, task, is_last=begun[task.name] == cluster.attempts)
            if outcome is None:
                waiting.appendleft(task)
            else:
                yield outcome if away is None else _fetched(outcome, task, away)
    finally:
        for run in running:
            ray.cancel(run, force=True)


def _fetched(outcome: Outcome, task: RunTask, away: Away) -> Outcome:
    """The outcome, once the run is in the study; a run that cannot be fetched has failed, and the others go on."""
    if outcome.failure is not None:
        return outcome
    try:
        pull_run(away.storage, task)
    except Exception as error:  # noqa: BLE001 - each kind of storage has errors of its own
        reason = f"made, but not fetched from {away.storage.url} ({error}); start the study again to fetch it"
        return replace(outcome, failure=note_failure(task, reason, error))
    return outcome


def _remote(ray: Any, share: Mapping[str, float], *, threads: int) -> Any:
    """``perform`` on a node; Ray ends a process after its run where it holds a GPU, else the next run finds it warm."""
    return ray.remote(
        num_cpus=share["CPU"],
        num_gpus=share.get("GPU", 0),
        memory=share.get("memory"),
        max_retries=0,
        runtime_env=thread_settings(threads),
    )(_perform_there)


def thread_settings(threads: int) -> dict[str, Any]:
    """Environment of a process with so many threads, which shares a node with others."""
    return {"env_vars": {**PATIENCE, "OMP_NUM_THREADS": str(threads)}}


def _perform_there(task: RunTask, threads: int, away: Away | None) -> Outcome:
    """Make a run on a node of the cluster, on its share of the cores."""
    torch.set_num_threads(threads)
    return perform(task) if away is None else perform_away(task, away)


def _outcome(ray: Any, ended: Any, task: RunTask, *, is_last: bool) -> Outcome | None:
    """How a run ended; None when its node or process was lost and it may be begun again."""
    try:
        outcome: Outcome = ray.get(ended)
    except (ray.exceptions.RayTaskError, ray.exceptions.RuntimeEnvSetupError) as error:
        return Outcome(task.name, 0.0, failure=note_failure(task, last_line(error), error))
    except ray.exceptions.RayError as error:
        if not is_last:
            return None
        reason = f"its node or process was lost each time, last: {str(error).splitlines()[0]}"
        return Outcome(task.name, 0.0, failure=note_failure(task, reason, error))
    return outcome
