"""What int8 costs and gains: the AUC that is lost, the size and the time of a batch, against single precision.

    cxrbench export BUNDLE --to openvino
    cxrbench export BUNDLE --to openvino-int8 --study STUDY --max-auc-loss 1
    OMP_NUM_THREADS=2 python benchmarks/int8.py BUNDLE [BUNDLE ...]

Each bundle has one network and both exports; the bound of 1 lets through what the default refuses, so that it can be
measured. The loss and its interval are those that the export measured on its run's test films (paired, clustered by
patient); `is_within_default` says whether the default bound would have let it through. Both networks take turns on the
same films; medians over the rounds. Writes ``int8.csv`` to ``benchmarks/results``.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.bundle import Bundle, load_bundle
from cxrbench.environment import describe_environment, usable_cores
from cxrbench.export import Exporting
from cxrbench.predict.backends import BACKENDS
from cxrbench.predict.exported import INT8, ExportedMember, Form, export_folder, load_export
from cxrbench.predict.runtimes import nncf_module, openvino_module

RESULTS = Path(__file__).parent / "results" / "int8.csv"
FULL: Form = "openvino"
BATCHES = (1, 16)

Floats = NDArray[np.float32]
Network = Callable[[Floats, Floats], Floats]


def seconds(network: Network, batch: tuple[Floats, Floats]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    network(*batch)
    return time.perf_counter() - started


def speed(bundle: Bundle, size: int, *, rounds: int) -> dict[str, object]:
    """Time of one batch in both precisions, and the median of the rounds' ratios."""
    member, rng = bundle.members[0], np.random.default_rng(0)
    side = member.approach.input.image_size
    batch = (
        rng.random((size, 1, side, side), np.float32),
        rng.random((size, len(member.approach.network.features)), np.float32),
    )
    full, int8 = (BACKENDS[form](bundle, member) for form in (FULL, INT8))
    times = [(seconds(full, batch), seconds(int8, batch)) for _ in range(rounds + 1)][1:]  # the first warms up
    return {
        f"ms_batch_{size}": round(1000 * median(one for one, _ in times), 1),
        f"ms_batch_{size}_int8": round(1000 * median(one for _, one in times), 1),
        f"times_as_fast_batch_{size}": round(median(one / other for one, other in times), 2),
    }


def exported(bundle: Bundle, form: Form) -> ExportedMember:
    """What the export of the bundle's one network says of it."""
    return load_export(export_folder(bundle, form), bundle).members[0]


def measure(bundle: Bundle, *, rounds: int) -> dict[str, object]:
    """One row."""
    run, int8 = bundle.members[0].run, exported(bundle, INT8)
    loss = int8.auc_loss
    if loss is None or loss.upper is None:
        raise SystemExit(f"{bundle.folder}: its int8 export has no AUC loss with an interval")
    megabytes = {form: sum(file.bytes for file in exported(bundle, form).files) / 1e6 for form in (FULL, INT8)}
    row: dict[str, object] = {
        "archive": bundle.record.archive.name,
        "approach": run.approach,
        "profile": run.profile,
        "split": run.split,
        "image_size": bundle.members[0].approach.input.image_size,
        "test_images": max(one.images for one in int8.auc),
        "findings": len(loss.findings),
        "mean_auc_loss": round(float(loss.loss or 0), 4),
        "lower": round(float(loss.lower or 0), 4),
        "upper": round(loss.upper, 4),
        "is_within_default": loss.upper <= Exporting(form=FULL).max_auc_loss,
        "megabytes": round(megabytes[FULL], 2),
        "megabytes_int8": round(megabytes[INT8], 2),
    }
    for size in BATCHES:
        row |= speed(bundle, size, rounds=rounds)
    return row | {"rounds": rounds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows = [measure(load_bundle(folder), rounds=given.rounds) for folder in given.bundles]
    told = describe_environment(device="cpu", threads=usable_cores())
    machine = {name: told[name] for name in ("processor", "cores", "threads")}
    versions = {"openvino": openvino_module().__version__.split("-")[0], "nncf": nncf_module().__version__}
    table = pl.DataFrame([row | machine | versions for row in rows], infer_schema_length=None)
    table.write_csv(given.out)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=250):
        print(table.select(pl.exclude(*machine, *versions)))


if __name__ == "__main__":
    main()
