"""How cost grows with the archive: seconds and peak memory of every stage at 1,000, 10,000 and 100,000 images.

    python benchmarks/growth.py FOLDER --images 1000 10000 --rounds 5
    python benchmarks/growth.py FOLDER --images 100000

Generated images of 72 px, labels drawn at random; profile ``small``, approach ``1channel``, one epoch, one re-sample.
Each stage is a process of its own. ``peak_mb`` is the most memory it had (VmHWM), which counts what the system keeps of
mapped files and may take back at any time; ``peak_own_mb`` is the most without these (RssAnon, looked at every 20 ms),
``peak_children_mb`` likewise of all processes it started. FOLDER keeps what was made and measured: what is there is not
measured again. Sizes take turns. Writes ``results/growth.csv``, a row per stage and size with medians over the rounds.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
OUT = HERE / "results" / "growth.csv"
SIDE = 72
LOOK_SECONDS = 0.02
HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"


def generate(folder: Path, images: int) -> None:
    """A release of films that are noise with a bright half where there is Effusion; three films a patient."""
    import cv2  # noqa: PLC0415 - a stage that is measured imports what it needs itself
    import numpy as np  # noqa: PLC0415

    rng = np.random.default_rng(images)
    (folder / "images").mkdir(parents=True)
    rows = [HEADER]
    findings = ["Atelectasis", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia"]
    for number in range(images):
        patient, follow_up = divmod(number, 3)
        has = [name for name in findings if rng.random() < 0.15]
        film = rng.integers(60, 120, (SIDE, SIDE), dtype=np.uint8)
        film[SIDE // 2 :] += np.uint8(60 * ("Effusion" in has))
        name = f"{patient:08}_{follow_up:03}.png"
        cv2.imwrite(str(folder / "images" / name), film)
        sex, view = "FM"[patient % 2], ("PA", "AP")[number % 2]
        rows.append(f"{name},{'|'.join(has) or 'No Finding'},{follow_up},{patient},{20 + patient % 70},{sex},{view}")
    (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _settings(folder: Path) -> "StudySettings":  # noqa: F821
    from cxrbench.config import SplitPlan, StudySettings  # noqa: PLC0415

    return StudySettings(
        data=folder / "films",
        out=folder / "study",
        approaches=("1channel",),
        profile="small",
        splits=SplitPlan(resamples=1),
        overrides={"recipe.epochs": 1},
    )


def index(folder: Path) -> None:
    """What every stage but the report reads: the table, the splits, the store's index."""
    from cxrbench.data.store import open_store  # noqa: PLC0415
    from cxrbench.evaluate.reading import read_splits, read_table  # noqa: PLC0415

    study = folder / "study"
    print(read_table(study).height, len(read_splits(study, ["resample-1"])), open_store(study / "store").sizes)


def prepare(folder: Path) -> None:
    from cxrbench.study import prepare_study  # noqa: PLC0415

    prepare_study(_settings(folder))


def epoch(folder: Path) -> None:
    from cxrbench.study import carry_out, make_plan, prepare_study  # noqa: PLC0415

    for outcome in carry_out(make_plan(prepare_study(_settings(folder)))):
        if outcome.failure:
            raise SystemExit(outcome.failure)


def evaluate(folder: Path) -> None:
    from cxrbench.evaluate import evaluate_study  # noqa: PLC0415

    evaluate_study(folder / "study")


def report(folder: Path) -> None:
    from cxrbench.report import write_report  # noqa: PLC0415

    write_report(folder / "study")


STAGES: dict[str, Callable[[Path], None]] = {
    "prepare": prepare,
    "index alone": index,
    "one epoch, with predictions": epoch,
    "evaluate": evaluate,
    "report": report,
}


def kilobytes(name: str, process: str = "self") -> int:
    """A line of a process's status; 0 when it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0


def children() -> list[str]:
    """Processes that this one started."""
    tasks = Path("/proc/self/task").glob("*/children")
    return [child for path in tasks for child in path.read_text(encoding="utf-8").split()]


def measured(stage: str, folder: Path) -> dict[str, float]:
    """Seconds and peaks of a stage, made in this process."""
    peak, is_over = {"own": 0, "children": 0}, threading.Event()

    def look() -> None:
        while not is_over.wait(LOOK_SECONDS):
            peak["own"] = max(peak["own"], kilobytes("RssAnon"))
            peak["children"] = max(peak["children"], sum(kilobytes("RssAnon", child) for child in children()))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    started = time.perf_counter()
    STAGES[stage](folder)
    seconds = time.perf_counter() - started
    is_over.set()
    watcher.join()
    return {
        "seconds": round(seconds, 1),
        "peak_mb": round(kilobytes("VmHWM") / 1000),
        "peak_own_mb": round(peak["own"] / 1000),
        "peak_children_mb": round(peak["children"] / 1000),
    }


def measure(stage: str, folder: Path) -> dict[str, float]:
    """Measure a stage in a fresh process."""
    command = [sys.executable, __file__, str(folder), "--stage", stage]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"})
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(measured(options.stage, options.folder)))
        return
    for number in range(options.rounds):
        for images in options.images:
            measure_round(options.folder / str(images), images, number)
    write(options.folder, options.out)


def measure_round(folder: Path, images: int, number: int) -> None:
    """All stages one after the other, anew, unless this was done."""
    done = folder / f"round-{number}.json"
    if done.exists():
        return
    if not (folder / "films").exists():
        generate(folder / "films.partial", images)
        (folder / "films.partial").rename(folder / "films")
    shutil.rmtree(folder / "study", ignore_errors=True)
    rows = [{"stage": stage, "images": images, **measure(stage, folder)} for stage in STAGES]
    done.write_text(json.dumps(rows))
    print(*rows, sep="\n", flush=True)


def write(folder: Path, out: Path) -> None:
    """Medians of all that was measured so far, with the machine."""
    import polars as pl  # noqa: PLC0415

    from cxrbench.environment import describe_environment  # noqa: PLC0415

    rows = pl.DataFrame([row for path in sorted(folder.glob("*/*.json")) for row in json.loads(path.read_text())])
    medians = rows.group_by("stage", "images").agg(
        pl.col("seconds").median().round(1), pl.col("^peak.*$").median(), rounds=pl.len()
    )
    order = pl.col("stage").replace_strict({name: number for number, name in enumerate(STAGES)})
    machine = describe_environment(device="cpu", threads=0)
    facts = {name: machine[name] for name in ("processor", "cores", "python")}
    facts |= {name: machine["versions"][name] for name in ("torch", "numpy", "polars", "opencv-python-headless")}
    medians.sort(order, "images").with_columns(pl.lit(value).alias(name) for name, value in facts.items()).write_csv(
        out
    )


if __name__ == "__main__":
    main()
