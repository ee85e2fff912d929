"""Parts of an archive's predictions on a Ray cluster: a Ray Data pipeline from part numbers to parts on disk.

Its actors hold the bundle's networks, each with decoding processes of its own: films do not travel between nodes.
A part whose actor or node is lost is made again elsewhere; its file is the same, whoever writes it.
"""

import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cxrbench.config import ClusterSettings
from cxrbench.errors import StudyError
from cxrbench.predict.listing import read_part
from cxrbench.predict.manifest import LIST_FILE
from cxrbench.predict.parts import MakeParts, PartMaker, Work
from cxrbench.study.cluster import (
    CLIENT,
    connected,
    import_ray,
    last_line,
    nodes_with_room,
    share_of,
    thread_settings,
)

BLOCK_BYTES = 2**20
"""Rows of the pipeline are numbers; told so, it does not hold actors back for want of memory."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What an actor must find on its node.

    Attributes:
        work: What to make.
        witness: A film, where this machine sees one: a node that does not would report all films as missing.
        cpus: Threads of the networks, and processes that decode.
    """

    work: Work
    witness: Path | None
    cpus: int


class PartActor:
    """A ``PartMaker`` on a node of the cluster."""

    def __init__(self, place: Place) -> None:
        """Load the networks.

        Raises:
            StudyError: The node does not see bundle, films or parts.
        """
        for path in (place.work.bundle, place.work.folder, place.work.export, place.witness):
            if path is not None and not path.exists():
                raise StudyError(
                    f"a node does not see {path}; bundle, films and parts must lie where all nodes see them"
                )
        torch.set_num_threads(place.cpus)
        self._maker = PartMaker(place.work, workers=place.cpus)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Make the part that a row names."""
        self._maker.make(int(row["part"]))
        return row


def on_cluster(cluster: ClusterSettings) -> MakeParts:
    """Make parts on a cluster, as many at a time as it has room for.

    Args:
        cluster: Where, and what each actor gets.

    Raises:
        StudyError: A Ray client is asked for, Ray is not installed, no cluster answers, or its nodes cannot make these
            parts.
    """
    address = str(cluster.address)
    if address.startswith(CLIENT):  # Ray Data asks for what only a node has (Ray 2.60)
        raise StudyError(
            f"{address}: Ray Data, which makes the parts, does not work for a Ray client; start the command on a node "
            "of the cluster, with --on auto"
        )

    def make(work: Work, todo: Sequence[int], /) -> Iterator[int]:
        ray = import_ray()
        with connected(ray, address):
            try:
                yield from _pipeline(ray, cluster, work, todo)
            except ray.exceptions.RayError as error:
                raise StudyError(f"parts cannot be made on the cluster ({last_line(error)}); the others stay") from None

    return make


def _pipeline(ray: Any, cluster: ClusterSettings, work: Work, todo: Sequence[int]) -> Iterator[int]:
    """Numbers of parts -> actors -> numbers of those that are on disk."""
    share = share_of(ray, cluster)
    actors = sum(_room(node["Resources"], share) for node in nodes_with_room(ray, share))
    data = _quiet_data(attempts=cluster.attempts)
    numbers = data.from_items([{"part": number} for number in todo], override_num_blocks=len(todo))
    made = numbers.map(
        PartActor,
        fn_constructor_args=(Place(work=work, witness=_witness(work, todo[0]), cpus=cluster.cpus),),
        # A queue of its own would keep parts waiting at one actor while another has nothing to do.
        compute=data.ActorPoolStrategy(min_size=1, max_size=min(actors, len(todo)), max_tasks_in_flight_per_actor=1),
        num_cpus=share["CPU"],
        num_gpus=share.get("GPU", 0),
        memory=share.get("memory"),
        runtime_env=thread_settings(cluster.cpus),
    )
    for row in made.iter_rows():
        yield int(row["part"])


def _room(resources: Mapping[str, float], share: Mapping[str, float]) -> int:
    """Actors that a node has room for."""
    return min(int(resources.get(name, 0) // amount) for name, amount in share.items())


def _quiet_data(*, attempts: int) -> Any:
    """Ray Data, set for few long tasks, and silent."""
    data = importlib.import_module("ray.data")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = BLOCK_BYTES
    context.execution_no_progress_timeout_s = -1  # a part may take hours
    context.max_consecutive_actor_init_deaths = attempts - 1
    return data


def _witness(work: Work, number: int) -> Path | None:
    """A film of a part that is there."""
    paths = (request.path for request in read_part(work.folder / LIST_FILE, number))
    return next((path for path in paths if path.exists()), None)
