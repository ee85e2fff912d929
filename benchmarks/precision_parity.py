"""Whether bfloat16 changes results beyond noise: AUCs on generated films, against the same runs in float32.

    python benchmarks/precision_parity.py STUDY --approach 1channel-meta --splits 2 --epochs 8
    python benchmarks/precision_parity.py STUDY --approach 1channel-meta --splits 1 --epochs 5 --full-width

STUDY is a study of generated films (phantom_study.py makes one), of which table, store and splits are used. Each split
is trained from the same seed in float32 and in bfloat16, and from another seed in float32: the difference between
precisions is set against the one between seeds. ``--full-width`` trains the published ResNet-50 on the study's small
images instead, a network for which ``auto`` picks bfloat16. Writes ``precision_parity.csv``, or
``precision_parity_full_width.csv``, to ``benchmarks/results``.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import torch
from sklearn.metrics import roc_auc_score

from cxrbench import runs
from cxrbench.config import ComputeSettings, RunConfig, load_approach, load_profile, read_run, with_changes
from cxrbench.data.store import open_store
from cxrbench.environment import describe_environment, usable_cores
from cxrbench.runs import RunName
from cxrbench.splits import Split, read_split
from cxrbench.training import fit_run

RESULTS = Path(__file__).parent / "results"
WAYS = (("fp32", 0), ("bf16", 0), ("fp32", 1))


def config_of(study: Path, asked: argparse.Namespace, split: str, *, seed: int) -> RunConfig:
    """The settings of a finished run, shortened."""
    approach, epochs = asked.approach, asked.epochs
    path = RunName(approach, split, 0).folder(study) / runs.CONFIG_FILE
    config = read_run(json.loads(path.read_text(encoding="utf-8")), where=path).config
    changes = {"recipe.epochs": epochs, "recipe.stop_after": epochs}
    if asked.full_width:
        full = load_profile("paper").apply(load_approach(approach))
        changes["network.backbone"] = full.network.backbone.model_dump(mode="json")
    return config.model_copy(update={"seed": seed, "approach": with_changes(config.approach, changes)})


def aucs(folder: Path, table: pl.DataFrame, findings: tuple[str, ...]) -> np.ndarray:
    """(L,) AUC of each finding on the test part; NaN where only one kind is there."""
    found = pl.read_parquet(folder / runs.predictions_file("test"))
    truth = found.select("image_id").join(table, on="image_id", how="left", maintain_order="left")
    labels = [truth[finding].to_numpy() for finding in findings]
    scores = [found[finding].to_numpy() for finding in findings]
    pairs = zip(labels, scores, strict=True)
    return np.array([roc_auc_score(y, x) if 0 < y.sum() < len(y) else np.nan for y, x in pairs])


def mean_aucs(asked: argparse.Namespace, split: Split) -> dict[str, np.ndarray]:
    """AUCs of each way of one split."""
    study: Path = asked.study
    table = pl.read_parquet(study / runs.TABLE_FILE)
    store = open_store(study / "store")
    result = {}
    for precision, seed in WAYS:
        config = config_of(study, asked, split.name, seed=seed)
        compute = ComputeSettings(precision=precision)
        with tempfile.TemporaryDirectory() as scratch:
            fit_run(config, Path(scratch), table=table, store=store, split=split, weights=None, compute=compute)
            result[f"{precision}, seed {seed}"] = aucs(Path(scratch), table, config.findings)
        print(split.name, precision, seed, float(np.nanmean(result[f"{precision}, seed {seed}"])), flush=True)
    return result


def main() -> None:
    """Train and write."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("study", type=Path)
    arguments.add_argument("--approach", default="1channel-meta")
    arguments.add_argument("--splits", type=int, default=2)
    arguments.add_argument("--epochs", type=int, default=8)
    arguments.add_argument("--full-width", action="store_true")
    asked = arguments.parse_args()
    results = RESULTS / f"precision_parity{'_full_width' if asked.full_width else ''}.csv"
    rows = []
    for number in range(asked.splits):
        split = read_split(asked.study / runs.SPLITS_FOLDER / f"resample-{number + 1}.json")
        found = mean_aucs(asked, split)
        base = found["fp32, seed 0"]
        row = {"approach": asked.approach, "split": split.name, "epochs": asked.epochs}
        row |= {f"mean_auc_{way}": round(float(np.nanmean(values)), 4) for way, values in found.items()}
        for key, way in (("precision", "bf16, seed 0"), ("seed", "fp32, seed 1")):
            row[f"mean_difference_by_{key}"] = round(float(np.nanmean(found[way]) - np.nanmean(base)), 4)
            row[f"mean_absolute_difference_by_{key}"] = round(float(np.nanmean(np.abs(found[way] - base))), 4)
        rows.append(row)
        environment = describe_environment(device="cpu", threads=usable_cores())
        machine = {"processor": pl.lit(environment["processor"]), "torch": pl.lit(torch.__version__)}
        pl.DataFrame(rows).with_columns(**machine).write_csv(results)
    print(pl.read_csv(results))


if __name__ == "__main__":
    main()
