"""How long does the demo's plan take: one run at a time and two, here and on a Ray cluster of this machine?

    python benchmarks/study.py FOLDER

The plan of ``cxrbench demo``: eight approaches on two re-samples of some 350 generated films, six epochs each, profile
``small``. Table, store, splits and stand-in weights are made before the clock starts; Ray's start counts. One run at a
time has all cores, two share them. FOLDER keeps what was measured, so that it can be done in pieces (``--piece``).
Writes ``results/study.csv``, a row per way.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

HERE = Path(__file__).parent
PIECES = {"here, 1 run": (None, 1), "here, 2 runs": (None, 2), "Ray, 1 run": ("ray", 1), "Ray, 2 runs": ("ray", 2)}
"""Name -> address of the cluster, and runs at a time."""


def prepared(folder: Path) -> Path:
    """The demo's study with all that its runs share."""
    from cxrbench.demo import demo_settings, generate_films  # noqa: PLC0415 - spawned processes import this file
    from cxrbench.study import prepare_study  # noqa: PLC0415

    if not (folder / "prepared").exists():
        generate_films(folder, workers=2)
        prepare_study(demo_settings(folder))
        (folder / "prepared").touch()
    return folder


def measure(folder: Path, address: str | None, workers: int) -> dict[str, object]:
    """Make all runs of the plan anew."""
    import torch  # noqa: PLC0415

    from cxrbench.config import ClusterSettings  # noqa: PLC0415
    from cxrbench.demo import demo_settings  # noqa: PLC0415
    from cxrbench.environment import usable_cores  # noqa: PLC0415
    from cxrbench.study import carry_out, make_plan, prepare_study  # noqa: PLC0415

    shutil.rmtree(folder / "study" / "runs", ignore_errors=True)
    threads = max(1, usable_cores() // workers)
    torch.set_num_threads(threads)
    plan = make_plan(prepare_study(demo_settings(folder)))
    started = time.perf_counter()
    cluster = ClusterSettings(address=address, cpus=threads)
    outcomes = list(carry_out(plan, workers=workers, cluster=cluster))
    seconds = time.perf_counter() - started
    if failures := [outcome.failure for outcome in outcomes if outcome.failure]:
        raise SystemExit(failures[0])
    return {"runs": len(outcomes), "threads_per_run": threads, "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--piece", choices=["prepare", *PIECES], help="only this; default: what was not measured yet")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "study.csv")
    options = parser.parse_args()
    folder = prepared(options.folder)
    if options.piece == "prepare":
        return
    for name, (address, workers) in PIECES.items():
        row = folder / f"{name}.json"
        if not row.exists() and options.piece in {None, name}:
            row.write_text(json.dumps({"engine": name, **measure(folder, address, workers)}))
            print(row.read_text(), flush=True)
    write(folder, options.out)


def write(folder: Path, out: Path) -> None:
    """All rows measured so far, with the machine."""
    import polars as pl  # noqa: PLC0415

    from cxrbench.environment import describe_environment  # noqa: PLC0415

    rows = [json.loads(path.read_text()) for path in (folder / f"{name}.json" for name in PIECES) if path.exists()]
    machine = describe_environment(device="cpu", threads=0)
    facts = {name: machine[name] for name in ("processor", "cores", "python")}
    facts |= {name: machine["versions"][name] for name in ("torch", "lightning", "timm")}
    pl.DataFrame([row | facts for row in rows]).write_csv(out)


if __name__ == "__main__":
    main()
