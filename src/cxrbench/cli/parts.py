"""What ``predict --parts`` does: an archive of any size, in parts, here or on a Ray cluster."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxrbench.config import ClusterSettings
    from cxrbench.predict import Predictor, Request


def predict_in_parts(
    predictor: "Predictor",
    requests: "Iterable[Request]",
    folder: Path,
    *,
    batch_size: int,
    part_size: int,
    cluster: "ClusterSettings",
    workers: int,
) -> None:
    """Make the parts that are missing, then say what the set holds."""
    from cxrbench.predict.parts import Options, here, predict_parts
    from cxrbench.terminal import shown_progress

    if cluster.address is None:
        make = here(workers=workers)
    else:
        from cxrbench.predict.cluster import on_cluster

        make = on_cluster(cluster)
    options = Options(
        backend=predictor.backend, has_mirror=predictor.has_mirror, batch_size=batch_size, part_size=part_size
    )
    started = time.perf_counter()
    with shown_progress() as track:
        predict_parts(predictor.bundle, requests, folder, make=make, options=options, track=track)
    _summarise(folder, time.perf_counter() - started)


def _summarise(folder: Path, seconds: float) -> None:
    from cxrbench.errors import DataError
    from cxrbench.predict.parts import count_predictions

    counts = count_predictions(folder)
    if counts.failed:
        print(f"not read: {counts.failed:,} films; see the column error", file=sys.stderr)
    print(f"{counts.answered:,} answered, {counts.warned:,} of them with warnings; {counts.failed:,} not read")
    if not counts.answered:
        raise DataError(f"no film could be answered; {folder} has the reason of each")
    print(f"predictions: {folder}: {counts.parts:,} parts, {seconds:.1f} s")
