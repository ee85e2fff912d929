"""A study folder as the trainer leaves it, drawn from a seed: no image, no network, in well under a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cxrbench import files, runs, splits
from cxrbench.config import load_vocabulary, schema1
from cxrbench.runs import RunName
from cxrbench.splits import Split

NIH, PATHOLOGIES, NO_FINDING = load_vocabulary().names, load_vocabulary().pathologies, "No Finding"

STRENGTHS = {
    "ots": 0.7,
    "ots-meta": 0.75,
    "ft": 1.2,
    "ft-meta": 1.3,
    "1channel": 1.1,
    "1channel-meta": 1.2,
    "large": 1.2,
    "large-meta": 1.35,
}
PREVALENCES = np.array([0.10, 0.04, 0.12, 0.18, 0.05, 0.06, 0.03, 0.05, 0.04, 0.03, 0.03, 0.03, 0.03, 0.01])


def write_fake_study(
    folder: Path,
    *,
    patients: int = 80,
    approaches: Sequence[str] = ("ft", "ft-meta"),
    resamples: int = 2,
    official: bool = False,
    seeds: Sequence[int] = (0,),
    profile: str = "small",
    is_stand_in: bool = True,
    is_phantom: bool = True,
    findings: Sequence[str] = NIH,
    seed: int = 0,
) -> Path:
    """Write a finished study: table, splits, runs, store.json, study.json."""
    rng = np.random.default_rng(seed)
    table = fake_table(rng, patients=patients).drop(name for name in NIH if name not in findings)
    folder.mkdir(parents=True)
    table.write_parquet(folder / runs.TABLE_FILE)
    weights = {"source": "stand-in" if is_stand_in else "hub", "digest": "ab" * 32, "is_stand_in": is_stand_in}
    for split in fake_splits(table, resamples=resamples, official=official):
        splits.write_split(split, folder / runs.SPLITS_FOLDER)
        for approach in approaches:
            for run_seed in seeds:
                name = RunName(approach, split.name, run_seed)
                write_run(folder, name, table=table, split=split, rng=rng, profile=profile, weights=weights)
    write_study_file(folder, table, approaches, seeds=seeds, profile=profile, weights=weights, is_phantom=is_phantom)
    return folder


def fake_splits(table: pl.DataFrame, *, resamples: int, official: bool) -> list[Split]:
    """Re-samples by patient, and a list that stands for the release's own."""
    drawn = splits.resample_splits(table, count=resamples) if resamples else []
    if not official:
        return drawn
    own = splits.resample_splits(table, count=1, seed=99)[0]
    lists = Split("official", "official", 0, own.patients, source="train_val_list.txt, test_list.txt")
    return [*drawn, lists]


def write_run(
    study: Path,
    name: RunName,
    *,
    table: pl.DataFrame,
    split: Split,
    rng: np.random.Generator,
    profile: str = "small",
    weights: dict[str, Any] | None = None,
) -> Path:
    """Write one finished run whose scores are as good as its approach's strength."""
    folder = name.folder(study)
    folder.mkdir(parents=True)
    for part in ("val", "test"):
        rows = table[split.rows(table, part)]
        fake_predictions(rows, STRENGTHS.get(name.approach, 1.0), rng).write_parquet(
            folder / runs.predictions_file(part)
        )
    config = {
        "approach": {"name": name.approach, "summary": f"Fake {name.approach}"},
        "profile": profile,
        "weights": weights if name.approach.startswith(("ots", "ft")) else None,
        "split": name.split,
        "split_digest": split.digest,
        "store_digest": "cd" * 32,
        "table_digest": "ef" * 32,
        "seed": name.seed,
        "findings": [name for name in NIH if name in table.columns],
    }
    write_config(folder, config)
    environment = {
        "python": "3.11.9",
        "system": "Linux x86_64",
        "processor": "Fake CPU",
        "cores": 2,
        "threads": 2,
        "device": "cpu",
        "versions": {"cxrbench": "0.1.0", "torch": "2.15.0"},
        "training_seconds": 12.5,
    }
    files.write_json(folder / runs.ENVIRONMENT_FILE, environment)
    fake_history(rng).write_csv(folder / runs.HISTORY_FILE)
    return folder


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write a run's configuration as version 0.1 did: with its hash, and no manifest beside it."""
    config = {name: value for name, value in config.items() if name != "hash"}
    files.write_json(folder / runs.CONFIG_FILE, {**config, "hash": schema1.hash_of(config)})


def fake_predictions(rows: pl.DataFrame, strength: float, rng: np.random.Generator) -> pl.DataFrame:
    """Logits that are higher where the label is present; a patient's images err together."""
    findings = [name for name in NIH if name in rows.columns]
    labels = rows.select(findings).to_numpy()
    patient = rows["patient_id"].rank("dense").to_numpy().astype(int) - 1
    shared = rng.normal(0, 0.3, size=(patient.max() + 1, len(findings)))[patient]
    film = np.random.default_rng(7).normal(0, 0.7, size=(100_000, len(findings)))  # what all approaches see alike
    places = rows["image_id"].str.head(8).cast(pl.Int64).to_numpy() * 13 + rows["follow_up"].to_numpy()
    own = rng.normal(0, 0.55, size=labels.shape)
    logits = strength * labels + shared + film[places % len(film)] + own - 2.5
    columns = {name: logits[:, column].astype(np.float32) for column, name in enumerate(findings)}
    return rows.select("image_id", "patient_id").with_columns(**{k: pl.Series(v) for k, v in columns.items()})


def fake_history(rng: np.random.Generator, epochs: int = 12) -> pl.DataFrame:
    """Losses that fall, then overfit."""
    epoch = np.arange(epochs)
    val = 0.19 + 0.12 * np.exp(-epoch / 2) + 0.0006 * epoch**1.5 + rng.normal(0, 0.001, epochs)
    train = 0.17 + 0.16 * np.exp(-epoch / 2.4) + rng.normal(0, 0.001, epochs)
    return pl.DataFrame(
        {
            "epoch": epoch,
            "train_loss": train,
            "val_loss": val,
            "learning_rate": 0.001 * 0.5 ** (epoch // 4),
            "seconds": rng.uniform(9, 11, epochs),
        }
    )


def write_study_file(
    study: Path,
    table: pl.DataFrame,
    approaches: Sequence[str],
    *,
    seeds: Sequence[int],
    profile: str,
    weights: dict[str, Any],
    is_phantom: bool,
) -> None:
    """Write study.json and the store's record."""
    archive = {
        "form": "NIH ChestX-ray14",
        "is_sample": False,
        "is_phantom": is_phantom,
        "images_listed": table.height + 3,
        "images_missing": 3,
        "missing_first": ["lost_000.png"],
        "images": table.height,
        "patients": table["patient_id"].n_unique(),
        "notes": ["2 ages are outside 0..120, treated as unknown"],
    }
    settings = {
        "data": "/somewhere/fake-archive",
        "approaches": list(approaches),
        "seeds": list(seeds),
        "profile": profile,
        "weights": weights["source"],
        "splits": {"resamples": 2, "fractions": [0.7, 0.1, 0.2], "seed": 0},
    }
    failures = [{"image_id": "bad_000.png", "path": "images/bad_000.png", "reason": "the file ends early"}]
    files.write_json(study / "store" / "store.json", {"images": table.height, "failures": failures})
    files.write_json(
        study / runs.STUDY_FILE,
        {
            "schema": runs.STUDY_SCHEMA,
            "settings": settings,
            "profile": {"name": profile, "summary": f"The {profile} profile"},
            "archive": archive,
            "vocabulary": load_vocabulary().subset(table.columns).model_dump(mode="json"),
            "findings": [name for name in NIH if name in table.columns],
            "left_out": {},
            "weights": weights,
            "version": "0.1.0",
        },
    )


def fake_table(rng: np.random.Generator, *, patients: int) -> pl.DataFrame:
    """Patients with one to a dozen images each; some ages, sexes and views unknown."""
    images = rng.geometric(0.35, size=patients).clip(max=12)
    patient = np.repeat(np.arange(patients), images)
    n = len(patient)
    burden = rng.normal(0, 0.8, size=(patients, len(PATHOLOGIES)))[patient]
    chance = 1 / (1 + np.exp(-(np.log(PREVALENCES / (1 - PREVALENCES)) + burden)))
    present = rng.random((n, len(PATHOLOGIES))) < chance
    labels = {name: present[:, column].astype(np.int8) for column, name in enumerate(PATHOLOGIES)}
    labels[NO_FINDING] = (~present.any(axis=1)).astype(np.int8)
    order = np.concatenate([[0], np.cumsum(images)[:-1]])
    age = rng.normal(48, 17, size=patients).clip(1, 94).round()
    ages = pl.Series(np.where(rng.random(patients) < 0.03, np.nan, age)[patient], dtype=pl.Float32).fill_nan(None)
    return pl.DataFrame(
        {
            "image_id": [f"{p:08d}_{i:03d}.png" for p, i in zip(patient, np.arange(n) - order[patient], strict=True)],
            "path": [f"images/{p:08d}.png" for p in patient],
            "patient_id": patient.astype(str),
            "age_years": ages,
            "sex": pl.Series(rng.choice(["F", "M"], size=patients)[patient]),
            "view": pl.Series(rng.choice(["PA", "AP"], p=[0.6, 0.4], size=n)),
            "follow_up": pl.Series((np.arange(n) - order[patient]).astype(np.int32)),
            **labels,
        }
    )


def fake_scores(table: pl.DataFrame, strength: float, seed: int = 0) -> pl.DataFrame:
    """Probabilities of any model's file, of a strength."""
    rng = np.random.default_rng(seed)
    present = table.select(NIH).to_numpy()
    chance = 1 / (1 + np.exp(-(strength * present + rng.normal(size=present.shape) - 2)))
    return pl.DataFrame({"Image Index": table["image_id"], **{name: chance[:, k] for k, name in enumerate(NIH)}})


def result(study: Path, name: str) -> pl.DataFrame:
    """A result table with guessed types, as any tool would read it."""
    path = study / "results" / name
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)


def run_images(study: Path, run: RunName) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predictions and truth of a run's test images, joined by hand."""
    predictions = pl.read_parquet(run.folder(study) / "predictions-test.parquet").sort("image_id")
    table = pl.read_parquet(study / runs.TABLE_FILE)
    return predictions, predictions.select("image_id").join(table, on="image_id", maintain_order="left")
