"""Where a report's numbers come from: data, settings, machines, versions, durations, and what went wrong."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench import runs
from cxrbench.config import WeightsRecord
from cxrbench.evaluate.reading import read_config, readable, weights_of
from cxrbench.report.study import Study
from cxrbench.report.tables.table import Row, Table, cells
from cxrbench.report.words import NOTHING, count, decimal, duration, listed
from cxrbench.runs import RunName

SHORT = 12
"""Digits of a digest that are shown."""
STORE_FILE = "store.json"


def facts(study: Study) -> list[tuple[str, str]]:
    """What a careful reader asks for, name and value."""
    settings, archive = study.record["settings"], study.record["archive"]
    config = _config(study)
    stated = {
        "Archive": f"{archive_name(study)}, read as {archive['form']}",
        "Images": f"{count(archive['images'])} of {count(archive['patients'])} patients",
        "Missing images": _missing(archive),
        "Unreadable images": _unreadable(study),
        "Reader's notes": "; ".join(archive["notes"]) or "none",
        "Profile": f"{study.record['profile']['name']}: {study.record['profile']['summary']}",
        "Pre-trained weights": _weights(study),
        "Frozen backbones": _frozen(study),
        "Splits": _splits(study),
        "Training seeds": listed([str(seed) for seed in settings["seeds"]]),
        "Time in training": duration(float(study.tables.runs["seconds"].sum())),
        "cxrbench": study.record["version"],
        "Digest of the store": config["store_digest"][:SHORT],
        "Digest of the table": config["table_digest"][:SHORT],
    }
    return list(stated.items())


def archive_name(study: Study) -> str:
    """Name of the archive's folder; the rest of its path is nobody's business."""
    if study.record["archive"]["is_phantom"]:
        return "generated radiographs"
    return Path(study.record["settings"]["data"]).name or study.record["archive"]["form"]


def machines(study: Study) -> list[tuple[str, list[tuple[str, str]]]]:
    """Distinct environments of the runs: on how many runs, then name and value."""
    found: dict[str, int] = {}
    for run in _run_names(study):
        path = run.folder(study.folder) / runs.ENVIRONMENT_FILE
        with readable(path):
            environment = json.loads(path.read_text(encoding="utf-8"))
        environment.pop("training_seconds", None)
        key = json.dumps(environment)
        found[key] = found.get(key, 0) + 1
    return [(f"{number} runs" if number > 1 else "1 run", _flat(json.loads(key))) for key, number in found.items()]


def _flat(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested values on one level."""
    pairs: list[tuple[str, str]] = []
    for key, value in environment.items():
        pairs += _flat(value) if isinstance(value, Mapping) else [(key, str(value))]
    return pairs


def run_table(study: Study) -> Table:
    """Every finished run: epochs, the epoch kept, its loss, duration, hash of its settings."""
    return Table(
        name="runs",
        caption="Finished runs.",
        columns=("Approach", "Split", "Seed", "Epochs", "Kept", "Validation loss", "Time", "Settings"),
        rows=tuple(map(_run_row, study.tables.runs.iter_rows(named=True))),
        note="Kept: epoch with the lowest validation loss, counted from 0. Settings: first digits of their SHA-256.",
        is_text=True,
    )


def _run_row(run: Mapping[str, Any]) -> Row:
    return Row(
        run["approach"],
        cells(
            [
                run["split"],
                str(run["seed"]),
                str(run["epochs"]),
                str(run["best_epoch"]),
                decimal(run["best_val_loss"], 4),
                duration(run["seconds"]),
                run["hash"][:SHORT],
            ]
        ),
    )


def failure_table(study: Study) -> Table:
    """Runs that failed, with the reason."""
    return Table(
        name="failures",
        caption="Runs that failed; they are in no table above.",
        columns=("Approach", "Split", "Seed", "Reason"),
        rows=tuple(
            Row(row["approach"], cells([row["split"], str(row["seed"]), row["reason"]]))
            for row in study.tables.failures.iter_rows(named=True)
        ),
        is_text=True,
    )


def split_table(study: Study) -> Table:
    """Patients and images of every part of every split."""
    whole = study.tables.splits.filter(pl.col("finding") == "all images")
    rows = []
    for (name,), parts in whole.group_by("split", maintain_order=True):
        said = [f"{count(part['patients'])} / {count(part['images'])}" for part in parts.iter_rows(named=True)]
        rows.append(Row(str(name), cells(said)))
    return Table(
        name="splits",
        caption="Patients / images per part. No patient is in two parts; this was checked when the results were made.",
        columns=("Split", "Training", "Validation", "Test"),
        rows=tuple(rows),
        note=_absences(study.tables.splits),
        is_text=True,
    )


def _absences(splits: pl.DataFrame) -> str:
    """Findings that some part lacks."""
    noted = splits.drop_nulls("note")
    if not noted.height:
        return ""
    said = [f"{row['finding']} {row['note']} ({row['split']}, {row['part']})" for row in noted.iter_rows(named=True)]
    return "Not everything is in every part: " + "; ".join(said) + "."


def _config(study: Study) -> dict[str, Any]:
    """Settings of the first run; what it says of store and table holds for all."""
    return read_config(study.folder, next(_run_names(study)))


def _run_names(study: Study) -> Iterator[RunName]:
    for row in study.tables.runs.select("approach", "split", "seed").iter_rows():
        yield RunName(*row)


def _missing(archive: Mapping[str, Any]) -> str:
    number = archive["images_missing"]
    if not number:
        return "none"
    first = ", ".join(archive["missing_first"])
    return f"{count(number)} of {count(archive['images_listed'])} listed (first: {first})"


def _unreadable(study: Study) -> str:
    """What the store could not decode."""
    folder = study.record["settings"].get("store")
    path = (Path(folder) if folder else study.folder / "store") / STORE_FILE
    if not path.is_file():
        return "not known: the store is not at hand"
    failures: Sequence[Mapping[str, str]] = json.loads(path.read_text(encoding="utf-8"))["failures"]
    said = [f"{failure['image_id']} ({failure['reason']})" for failure in failures]
    return f"{count(len(said))}: {'; '.join(said[:20])}" if said else "none"


def pretraining(study: Study) -> dict[str, WeightsRecord]:
    """Return the records of pre-trained weights by approach, of those that start from any."""
    found: dict[str, WeightsRecord] = {}
    for run in _run_names(study):
        record = weights_of(read_config(study.folder, run), where=str(run))
        if record is not None:
            found.setdefault(run.approach, record)
    return found


def _weights(study: Study) -> str:
    """Return what each approach starts from; those that share it together."""
    sharing: dict[str, list[str]] = {}
    for approach, record in pretraining(study).items():
        sharing.setdefault(_weights_line(record), []).append(approach)
    return "; ".join(f"{listed(approaches)}: {line}" for line, approaches in sharing.items()) or "none"


def _weights_line(record: WeightsRecord) -> str:
    seen = f", seen {record.licence_seen}" if record.licence_seen else ""
    licence = "" if record.is_stand_in else f", licence {record.licence}{seen}"
    archives = [f"{each.archive} {'with' if each.with_labels else 'without'} labels" for each in record.saw]
    matched = "" if record.tensors is None else f", {count(record.tensors)} tensors matched"
    saw = f", saw {listed(archives)}" if archives else ""
    return f"{record.title} ({record.source}{matched}{licence}{saw}), SHA-256 {record.digest[:SHORT]}"


def pretraining_table(study: Study) -> Table:
    """Test films that pre-trained weights saw before."""
    return Table(
        name="pretraining",
        caption="Held-out films that the pre-trained weights of an approach saw before.",
        columns=("Approach", "Split", "Archive", "Labels", "Known by", "Test films", "Validation films"),
        rows=tuple(map(_pretraining_row, study.tables.pretraining.iter_rows(named=True))),
        note="Known by the archive alone, the numbers are the most that it can be.",
        is_text=True,
    )


def _pretraining_row(row: Mapping[str, Any]) -> Row:
    most = "at most " if row["basis"] == "archive" else ""
    return Row(
        row["approach"],
        cells(
            [
                row["split"],
                row["archive"],
                "learnt" if row["with_labels"] else "not learnt",
                row["basis"],
                f"{most}{count(row['test_seen'])} of {count(row['test_images'])}",
                f"{most}{count(row['val_seen'])}",
            ]
        ),
    )


def _frozen(study: Study) -> str:
    """What the approaches whose backbone is frozen learnt from."""
    first = {name.approach: name for name in reversed(list(_run_names(study)))}
    approaches = [read_config(study.folder, run)["approach"] for _, run in sorted(first.items())]
    frozen = [approach for approach in approaches if _is_frozen(approach)]
    return "; ".join(f"{each['name']}: {_seen(each.get('cached_views'))}" for each in frozen) or "none"


def _is_frozen(approach: Mapping[str, Any]) -> bool:
    old = approach.get("backbone", {}).get("trained")  # version 0.1
    return "head" in {approach.get("recipe", {}).get("trained"), old}


def _seen(cached_views: int | None) -> str:
    """Which views of a film a frozen backbone gave features of."""
    if cached_views is None:
        return "each film augmented anew in every epoch"
    return "features computed once, of " + (
        "the centre crop" if cached_views == 1 else f"{cached_views} augmented views"
    )


def _splits(study: Study) -> str:
    plan = study.record["settings"]["splits"]
    names = study.tables.splits["split"].unique(maintain_order=True).to_list()
    drawn = f"seed {plan['seed']}" if "seed" in plan else NOTHING
    return f"{', '.join(names)} ({drawn})"
