"""How long does the demo's plan take: one run at a time and two, here and on a Ray cluster of this machine?

    python benchmarks/study.py FOLDER --rounds 5

The plan of ``cxrbench demo``: eight approaches on two re-samples of some 350 generated films, six epochs each, profile
``small``. Table, store, splits and stand-in weights are made before the clock starts; Ray's start counts. One run at a
time has all cores, two share them. The ways take turns; FOLDER keeps every time that was measured, so that it can be
done in pieces (``--most``). Writes ``results/study.csv``, a row per way with its median.
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

HERE = Path(__file__).parent
WAYS = {"here, 1 run": (None, 1), "here, 2 runs": (None, 2), "Ray, 1 run": ("ray", 1), "Ray, 2 runs": ("ray", 2)}
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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=int, default=10_000, help="measurements to make now; 0: only prepare")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "study.csv")
    options = parser.parse_args()
    folder = prepared(options.folder)
    missing = [
        (path, ways)
        for number in range(options.rounds)
        for name, ways in WAYS.items()
        if not (path := folder / f"{name}-{number}.json").exists()
    ]
    for path, (address, workers) in missing[: options.most]:
        path.write_text(json.dumps(measure(folder, address, workers)))
        print(path.stem, path.read_text(), flush=True)
    if measured := [path.stem for path in folder.glob("*-*.json")]:
        write(folder, options.out, rounds=len(measured) // len(WAYS))


def write(folder: Path, out: Path, *, rounds: int) -> None:
    """The medians over the rounds that are complete, with the machine."""
    import polars as pl  # noqa: PLC0415

    from cxrbench.environment import describe_environment  # noqa: PLC0415

    machine = describe_environment(device="cpu", threads=0)
    facts = {name: machine[name] for name in ("processor", "cores", "python")}
    facts |= {name: machine["versions"][name] for name in ("torch", "timm")}
    taken = {name: [json.loads((folder / f"{name}-{n}.json").read_text()) for n in range(rounds)] for name in WAYS}
    rows = [
        {
            "engine": name,
            "runs": each[0]["runs"],
            "threads_per_run": each[0]["threads_per_run"],
            "seconds": statistics.median(one["seconds"] for one in each),
            "least": min(one["seconds"] for one in each),
            "most": max(one["seconds"] for one in each),
            "rounds": rounds,
        }
        for name, each in taken.items()
        if each
    ]
    if rows:
        pl.DataFrame([row | facts for row in rows]).write_csv(out)


if __name__ == "__main__":
    main()
