"""A study's runs -> a bundle."""

import shutil
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cxrbench import runs as names
from cxrbench.bundle.answers import mean_probability
from cxrbench.bundle.card import write_card
from cxrbench.bundle.evidence import Evidence, joined_decisions, read_evidence
from cxrbench.bundle.loading import Bundle, load_bundle
from cxrbench.bundle.network import TorchNetwork, load_classifier
from cxrbench.bundle.packages import modules_of, packages_of
from cxrbench.bundle.pixel_statistics import PixelStatistics, miniature, spread_over
from cxrbench.bundle.population import Population
from cxrbench.bundle.provenance import archive_of, banners_of, made_with
from cxrbench.bundle.record import (
    BUNDLE_FILE,
    CARD_FILE,
    MEMBERS_FOLDER,
    REFERENCE_FILE,
    WEIGHTS_FILE,
    BundleRecord,
    FileRecord,
    Member,
    RunRecord,
)
from cxrbench.bundle.reference import Reference, film_digest, reference_logits
from cxrbench.config import Approach, parse_settings, read_run, recorded_vocabulary, with_changes
from cxrbench.data.features import FeatureScaling
from cxrbench.data.geometry import DEFINITION
from cxrbench.data.store import open_store
from cxrbench.errors import BundleError
from cxrbench.evaluate.reading import left_out_reasons, read_config, read_splits, read_table, readable
from cxrbench.files import atomic_folder, digest_file, digest_json, write_json
from cxrbench.runs import RunName
from cxrbench.splits import Split


def make_bundle(study: Path, runs: Sequence[RunName], out: Path) -> Bundle:
    """Make a bundle of one run, or an ensemble of several; nothing is written unless all of it is.

    Args:
        study: A study's folder; its store must be at hand.
        runs: Finished runs of the study, in the order that the members will have.
        out: Folder of the bundle; must not exist yet.

    Raises:
        BundleError: ``out`` exists, or the members do not fit together.
        StudyError: A file of the study cannot be used.
    """
    if out.exists():
        raise BundleError(f"{out} exists already; choose another --out, or delete it")
    if not runs:
        raise ValueError("a bundle needs one run or more")
    table = read_table(study)
    splits = read_splits(study, dict.fromkeys(run.split for run in runs))
    evidences = _evidences(study, table, splits, runs)
    with atomic_folder(out) as scratch:
        members = tuple(
            _member(study, run, _weights_file(i, len(runs)), evidences, scratch) for i, run in enumerate(runs)
        )
        _write(study, table, splits, members, evidences, scratch)
    own = {module for member in members for module in modules_of(member.approach.network)}
    return load_bundle(out, allowed_modules=own)  # the study named them, not the bundle


def _evidences(study: Path, table: pl.DataFrame, splits: dict[str, Split], runs: Sequence[RunName]) -> list[Evidence]:
    """Evidence per split."""
    by_split = sorted(runs, key=attrgetter("split"))
    return [
        read_evidence(study, table, splits[name], list(members))
        for name, members in groupby(by_split, key=attrgetter("split"))
    ]


def _weights_file(position: int, members: int) -> str:
    return WEIGHTS_FILE if members == 1 else f"{MEMBERS_FOLDER}/{position + 1}.safetensors"


def _member(study: Path, run: RunName, file: str, evidences: Sequence[Evidence], scratch: Path) -> Member:
    """Copy a run's weights and record what belongs to them."""
    config, source = read_config(study, run), names.run_file(study, run, names.WEIGHTS_FILE)
    path = scratch / file
    path.parent.mkdir(exist_ok=True)
    with readable(source):
        shutil.copyfile(source, path)
    where = str(run.folder(study) / names.CONFIG_FILE)
    approach = _without_paths(read_run(config, where=Path(where)).config.approach)
    if approach.test_time.count > 1:
        raise BundleError(
            f"{run.approach}: its predictions are the mean of {approach.test_time.count} views (test_time), and a "
            "bundle answers from the centre crop alone; bundle a run of the approach without test_time"
        )
    return Member(
        run=_run_record(run, config, where),
        weights=FileRecord(file=file, bytes=path.stat().st_size, sha256=digest_file(path)),
        approach=approach,
        packages=packages_of(approach.network),
        feature_scaling=parse_settings(config["feature_scaling"], FeatureScaling, where=where),
        calibrations=next(one.calibrations[run] for one in evidences if run in one.calibrations),
    )


def _run_record(run: RunName, config: dict[str, Any], where: str) -> RunRecord:
    copied = {key: config[key] for key in ("profile", "hash", "split_digest", "store_digest", "table_digest")}
    weights = config["weights"]
    raw = {
        "approach": run.approach,
        "split": run.split,
        "seed": run.seed,
        "has_stand_in_weights": bool(weights and weights["is_stand_in"]),
        "pretraining": weights,
    }
    return parse_settings(raw | copied, RunRecord, where=where)


def _without_paths(approach: Approach) -> Approach:
    """Return an approach whose weights are named without the folders that led to them; they are nobody's business."""
    weights = approach.network.weights
    raw = weights.settings.model_dump(mode="json")
    names = {key: Path(raw[key]).name for key in ("path", "study", "image_list") if raw.get(key)}
    return with_changes(approach, {f"network.weights.{weights.name}.{key}": name for key, name in names.items()})


def _write(
    study: Path,
    table: pl.DataFrame,
    splits: dict[str, Split],
    members: tuple[Member, ...],
    evidences: Sequence[Evidence],
    scratch: Path,
) -> None:
    """Write everything but the weights."""
    findings = _findings(study, members)
    withheld = _withheld(table, splits, findings)
    if set(withheld) == set(findings):
        raise BundleError(f"{study}: no finding has training images of both kinds; there is nothing to answer")
    training = _training_part(table, splits)
    write_json(scratch / REFERENCE_FILE, _reference(members, findings, scratch).model_dump(mode="json"))
    study_record = names.read_study_record(study)
    archive = archive_of(study_record)
    reasons = left_out_reasons(study_record)
    record = BundleRecord(
        made_with=made_with(),
        geometry=DEFINITION,
        findings=findings,
        vocabulary=recorded_vocabulary(study_record, findings, where=study / names.STUDY_FILE),
        withheld=withheld,
        left_out={name: reason for name, reason in reasons.items() if name not in findings},
        members=members,
        decisions=joined_decisions(evidences),
        population=Population.of(training, findings),
        pixel_statistics=_pixel_statistics(study, study_record, members, training),
        archive=archive,
        test=tuple(result for one in evidences for result in one.test),
        banners=banners_of(archive, members, study_record),
        reference_sha256=digest_file(scratch / REFERENCE_FILE),
        card_sha256="",
    )
    write_card(record, scratch)
    raw = record.model_dump(mode="json") | {"card_sha256": digest_file(scratch / CARD_FILE)}
    write_json(scratch / BUNDLE_FILE, raw | {"digest": digest_json(raw)})


def _findings(study: Path, members: Sequence[Member]) -> tuple[str, ...]:
    """The outputs' names, in the networks' order; the same for all members."""
    runs = [RunName(member.run.approach, member.run.split, member.run.seed) for member in members]
    found = {tuple(read_config(study, run)["findings"]) for run in runs}
    if len(found) > 1:
        raise BundleError(f"the runs have different findings ({' / '.join(map(str, found))}); they make no ensemble")
    return found.pop()


def _withheld(table: pl.DataFrame, splits: dict[str, Split], findings: tuple[str, ...]) -> dict[str, str]:
    """Findings that some member saw one kind of image of, and why; studies of version 0.1 have such outputs."""
    reasons: dict[str, str] = {}
    for name, split in splits.items():
        own = Population.of(table[split.rows(table, "train")], findings).unlearnt()
        reasons |= {finding: f"{reason} ({name})" for finding, reason in own.items() if finding not in reasons}
    return {finding: reasons[finding] for finding in findings if finding in reasons}


def _training_part(table: pl.DataFrame, splits: dict[str, Split]) -> pl.DataFrame:
    """Rows that some member was trained on."""
    rows = np.unique(np.concatenate([split.rows(table, "train") for split in splits.values()]))
    return table[rows]


def _reference(members: Sequence[Member], findings: tuple[str, ...], folder: Path) -> Reference:
    """What the members answer to the reference film."""
    networks = [
        TorchNetwork(load_classifier(member, folder / member.weights.file, findings=len(findings)))
        for member in members
    ]
    logits = reference_logits(members, networks)  # (M, L)
    return Reference(
        pixels_sha256=film_digest(),
        logits=tuple(tuple(row) for row in logits.tolist()),
        probabilities=tuple(mean_probability(members, findings, logits[:, None, :])[0].tolist()),
    )


def _pixel_statistics(
    study: Path, study_record: dict[str, Any], members: Sequence[Member], training: pl.DataFrame
) -> PixelStatistics:
    """The look of the training films, from the smallest store that a member uses."""
    own = study / "store"
    elsewhere = study_record["settings"].get("store")
    store = open_store(Path(elsewhere) if elsewhere and not own.exists() else own)
    if (digest := members[0].run.store_digest) != store.digest:
        raise BundleError(f"{store.folder} is another store than the runs were made with ({digest[:12]}); put it back")
    pixels = store.pixels(min(member.approach.input.store_size for member in members))
    rows = spread_over(np.sort(store.rows(training["image_id"])))
    return PixelStatistics.fit(np.stack([miniature(pixels[row]) for row in rows]))
